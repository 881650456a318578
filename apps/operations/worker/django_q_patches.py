"""What is put in the place of django-q2's plumbing, in memory, so that no killed process can hang a cluster.

As shipped (1.11.1), a cluster's processes talk through pipes guarded by semaphores, and a semaphore outlives its
holder: an idle worker that is killed takes the queue's read lock with it and every other worker then waits for ever; a
killed monitor leaves every task unacknowledged; a worker that dies while it holds its timer's lock stops the sentinel;
a signal to the whole group stops the sentinel before the parent has told it to, and the parent waits for it for ever; a
killed sentinel leaves its workers running, unguarded. Each is a test in `tests/operations/test_plumbing.py`.

Here a message is one packet on a local socket: the kernel hands it whole to exactly one receiver, and there is no lock
to lose. An event is a pipe, a timer a bare shared number. There is no monitor: workers record results themselves. Every
process dies with its parent.
"""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import django_q
import django_q.cluster as shipped
import django_q.worker as shipped_worker_module
from django.db import connections
from django_q.conf import Conf
from django_q.monitor import monitor as shipped_monitor
from django_q.worker import worker as shipped_worker

from apps.operations.queue.batch_size import Batch
from apps.operations.worker import child_processes
from apps.operations.worker.connections import refresh
from apps.operations.worker.heartbeat import heartbeat
from apps.operations.worker.shared_state import PipeEvent, SharedNumber

logger = logging.getLogger(__name__)
KNOWN = "1.11.1"
PACKET = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
MAX_BYTES = 60_000
PR_SET_PDEATHSIG = 1
PREFETCH_SECONDS = 1.0


class UnknownDjangoQ(RuntimeError):
    """The installed django-q2 is not the version this module was tested with."""


class PacketQueue:
    """A queue between processes: `put` and `get` move one pickled item each; a large one goes through a file."""

    def __init__(self, maxsize: int = 0):
        self.receiver, self.sender = socket.socketpair(socket.AF_UNIX, PACKET)

    def put(self, item: Any) -> None:
        """Send an item; waits while the socket is full."""
        packet = pickle.dumps(item)
        if len(packet) > MAX_BYTES:
            packet = pickle.dumps(FileMessage.to_file(packet))
        self.sender.send(packet)

    def get(self) -> Any:
        """Receive the next item; waits for one."""
        item = pickle.loads(self.receiver.recv(MAX_BYTES * 2))  # noqa: S301 - from our own processes
        return item.read() if isinstance(item, FileMessage) else item

    def get_all(self) -> list[Any]:
        """Receive what waits to be received, perhaps nothing."""
        items = []
        with suppress(BlockingIOError):
            while True:
                item = pickle.loads(self.receiver.recv(MAX_BYTES * 2, socket.MSG_DONTWAIT))  # noqa: S301
                items.append(item.read() if isinstance(item, FileMessage) else item)
        return items

    def empty(self) -> bool:
        """Tell whether nothing waits to be received."""
        return not select.select([self.receiver], [], [], 0)[0]

    def qsize(self) -> int:
        """Tell whether anything waits: 0 or 1, for django-q2's display."""
        return int(not self.empty())

    def close(self) -> None:
        """Do nothing: the sockets go with the process."""

    def join_thread(self) -> None:
        """Do nothing: nothing is sent in the background."""


class FileMessage:
    """An item too large for a packet, in a file that its reader removes."""

    def __init__(self, path: str):
        self.path = path

    @classmethod
    def to_file(cls, packet: bytes) -> FileMessage:
        """Write the item down."""
        with tempfile.NamedTemporaryFile(prefix="django-q-", delete=False) as file:
            file.write(packet)
        return cls(file.name)

    def read(self) -> Any:
        """Return the item."""
        path = Path(self.path)
        try:
            return pickle.loads(path.read_bytes())  # noqa: S301 - from our own processes
        finally:
            path.unlink()


class ResultRecorder:
    """Records a worker's results in the worker itself, by what django-q2's monitor does in a process of its own."""

    def __init__(self) -> None:
        self.results: list[Any] = []

    def put(self, task: dict[str, Any]) -> None:
        """Record a result, as a failure when it cannot be pickled; of an operation that went well, its row says all."""
        if task["ack_id"] is None and task["success"]:
            return
        try:
            pickle.dumps(task["result"])
        except Exception as error:  # noqa: BLE001 - pickle raises whatever the object's own code does
            task |= {"result": f"The result cannot be pickled: {error!r}", "success": False}
        self.results = [task, "STOP"]
        shipped_monitor(self)

    def get(self) -> Any:
        """Return the result, then the monitor's sign to stop."""
        return self.results.pop(0)


class NoMonitor:
    """Stands where the sentinel keeps its monitor: alive until the cluster stops."""

    pid = None

    def __init__(self, stopping: PipeEvent):
        self.stopping = stopping

    def is_alive(self) -> bool:
        """Tell whether the cluster goes on."""
        return not self.stopping.is_set()


class NoStatus:
    """Stands for the status that a sentinel would write twice a second into a cache that nobody can read."""

    def __init__(self, sentinel: Any):
        pass

    def save(self) -> None:
        """Do nothing."""


# ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def setup_child_process(*, own_group: bool = False, at_parents_death: int = signal.SIGKILL) -> None:
    """Make the process die with its parent and leave signals to stop to the parent, who ends the cluster in order."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, at_parents_death)
    if os.getppid() != parent:
        os._exit(1)
    child_processes.become_subreaper()
    leave_signals()
    if own_group:
        os.setpgid(0, 0)
    connections.close_all()


def leave_signals() -> None:
    """Do nothing at signals to stop, by a function: that a signal is ignored, the programs that a step runs inherit."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ignore_signal)


def ignore_signal(number: int, frame: Any) -> None:
    """Do nothing."""


def end_all(number: int = 0, frame: Any = None) -> None:
    """End this process with all that is below it, what steps have started included.

    Where listing that fails, as it does without a free file descriptor, the parent-death signal ends the cluster's
    processes, and the worker's main process, which is a subreaper too, the rest.
    """
    try:
        child_processes.kill_all()
    finally:
        os._exit(1)


class Cluster(shipped.Cluster):
    """Django-q2's cluster, started without waiting for it: who watches it sees a sentinel that dies while it starts."""

    def start(self) -> int:
        """Start the sentinel, which starts all else and then sets `start_event`. Raises OSError when it cannot fork."""
        self.stop_event, self.start_event = PipeEvent(), PipeEvent()
        given = (self.stop_event, self.start_event, self.cluster_id, self.broker, self.timeout)
        self.sentinel = shipped.get_mp_context().Process(target=Sentinel, args=given)
        self.sentinel.start()
        return self.pid


class Sentinel(shipped.Sentinel):
    """Django-q2's sentinel, which ends what outlives its parent and kills overdue workers for sure."""

    def __init__(self, *args: Any, **kwargs: Any):
        signal.signal(signal.SIGUSR2, end_all)
        setup_child_process(at_parents_death=signal.SIGUSR2)
        super().__init__(*args, **kwargs)

    def start(self) -> None:
        """Start the processes and guard them; the shipped class has by now taken SIGTERM back.

        A sentinel that fails ends all that is below it: as shipped, it would stay, wait for its workers to end by
        themselves and guard nothing.
        """
        leave_signals()
        try:
            super().start()
        except BaseException:
            logger.exception("the cluster's sentinel failed")
            end_all()

    def reincarnate(self, process: Any) -> None:
        """Replace a process that has died or must; what the step in it had started dies with it."""
        if process.pid != self.pusher.pid:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        super().reincarnate(process)
        process.join(child_processes.PATIENCE_SECONDS)
        child_processes.kill_all(but={own.pid for own in (*self.pool, self.pusher)})

    def spawn_monitor(self) -> NoMonitor:
        """Start nothing: the workers record their results themselves."""
        return NoMonitor(self.event_out)

    def spawn_process(self, target: Any, *args: Any) -> Any:
        """Start a process whose `terminate` cannot be ignored."""
        process = super().spawn_process(target, *args)
        process.terminate = process.kill
        return process


def worker(task_queue: PacketQueue, result_queue: PacketQueue, timer: SharedNumber, timeout: int) -> None:
    """Work in a process group of its own, so that what a step has started can be ended with it."""
    setup_child_process(own_group=True)
    heartbeat.watchdog.countdown = timer
    shipped_worker(task_queue, ResultRecorder(), timer, timeout)


def pusher(task_queue: PacketQueue, event: PipeEvent, broker: Any = None) -> None:
    """Take tasks from the broker whenever the workers have taken all that was there.

    Nothing more is claimed than the next batch, and that is given back when no worker takes it within a second, so that
    nothing waits behind long steps which another node could do or a person wants to cancel. A broken database is waited
    for.
    """
    setup_child_process()
    batch = Batch(Conf.WORKERS)
    while not event.is_set():
        if task_queue.empty():
            size = batch.size()
            put_all(task_queue, batch.rest())
            put_all(task_queue, batch.filled(broker.take(until=event, max_count=size)))
        elif batch.age() < PREFETCH_SECONDS:
            time.sleep(batch.pause())
        else:
            put_all(task_queue, batch.filled(broker.release_unstarted([*task_queue.get_all(), *batch.rest()])))
            event.wait(PREFETCH_SECONDS / 4)  # whoever is idle comes first
    put_all(task_queue, batch.rest())


def put_all(task_queue: PacketQueue, tasks: list[Any]) -> None:
    """Put tasks into the queue, in their order."""
    for task in tasks:
        task_queue.put(task)


def install() -> None:
    """Put this module's parts into django-q2. Raises UnknownDjangoQ for any version but the tested one."""
    version = ".".join(map(str, django_q.VERSION))
    if version != KNOWN:
        raise UnknownDjangoQ(f"django-q2 {version} is installed, not {KNOWN}: install requirements-run.txt.")
    shipped.Queue, shipped.Event, shipped.Value = PacketQueue, PipeEvent, SharedNumber
    shipped.Sentinel, shipped.worker, shipped.pusher, shipped.Stat = Sentinel, worker, pusher, NoStatus
    shipped_worker_module.close_old_django_connections = refresh
