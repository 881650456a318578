"""What is put in the place of django-q2's plumbing, in memory, so that no killed process can hang a cluster.

As shipped (1.11.1), a cluster's processes talk through pipes guarded by semaphores, and a semaphore outlives its
holder: an idle worker that is killed takes the queue's read lock with it and every other worker then waits for ever; a
killed monitor leaves every task unacknowledged; a worker that dies while it holds its timer's lock stops the sentinel;
a signal to the whole group stops the sentinel before the parent has told it to, and the parent waits for it for ever; a
killed sentinel leaves its workers running, unguarded. Each is a test in `tests/operations/cluster/`.

Here a message is one packet on a local socket: the kernel hands it whole to exactly one receiver, and there is no lock
to lose. An event is a pipe, a timer a bare shared number. Every process dies with its parent.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

import django_q
import django_q.cluster as shipped
import django_q.worker as shipped_worker_module
from django.db import connections
from django_q.conf import Conf
from django_q.monitor import monitor as shipped_monitor
from django_q.worker import worker as shipped_worker

from apps.operations import offspring
from apps.operations.cluster.batch import Batch
from apps.operations.cluster.connections import refresh
from apps.operations.heart import heart

KNOWN = "1.11.1"
PACKET = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
MOST_BYTES = 60_000
PR_SET_PDEATHSIG = 1
PREFETCH_SECONDS = 1.0


class UnknownDjangoQ(RuntimeError):
    """The installed django-q2 is not the version this module was tested with."""


class Packets:
    """A queue between processes: `put` and `get` move one pickled item each; a large one goes through a file."""

    def __init__(self, maxsize: int = 0):
        self.receiver, self.sender = socket.socketpair(socket.AF_UNIX, PACKET)

    def put(self, item: Any) -> None:
        """Send an item; waits while the socket is full. An item that cannot be pickled is sent as a failed task."""
        try:
            packet = pickle.dumps(item)
        except Exception as error:  # noqa: BLE001 - pickle raises whatever the object's own code does
            packet = pickle.dumps({**item, "result": f"The result cannot be pickled: {error!r}", "success": False})
        if len(packet) > MOST_BYTES:
            packet = pickle.dumps(Spilled.to_file(packet))
        self.sender.send(packet)

    def get(self) -> Any:
        """Receive the next item; waits for one."""
        item = pickle.loads(self.receiver.recv(MOST_BYTES * 2))  # noqa: S301 - from our own processes
        return item.read() if isinstance(item, Spilled) else item

    def get_all(self) -> list[Any]:
        """Receive what waits to be received, perhaps nothing."""
        items = []
        with suppress(BlockingIOError):
            while True:
                item = pickle.loads(self.receiver.recv(MOST_BYTES * 2, socket.MSG_DONTWAIT))  # noqa: S301
                items.append(item.read() if isinstance(item, Spilled) else item)
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


class Spilled:
    """An item too large for a packet, in a file that its reader removes."""

    def __init__(self, path: str):
        self.path = path

    @classmethod
    def to_file(cls, packet: bytes) -> Spilled:
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


class Flag:
    """An event without a lock: set once, by a byte in a pipe that nobody takes out."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def set(self) -> None:
        """Set it."""
        os.write(self.writer, b"1")

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or for so many seconds."""
        return bool(select.select([self.reader], [], [], timeout)[0])


class Number:
    """A shared number without a lock; one process writes it at a time, and a torn read of a float does not occur."""

    def __init__(self, kind: str, value: float):
        self.raw = RawValue(kind, value)

    @property
    def value(self) -> float:
        """The number."""
        return self.raw.value

    @value.setter
    def value(self, value: float) -> None:
        self.raw.value = value

    def get_lock(self) -> Number:
        """Return something to enter that locks nothing."""
        return self

    def __enter__(self) -> Number:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave."""


class Results:
    """The way to the monitor for what it has to record: of an operation that went well, its row says all."""

    def __init__(self, queue: Packets):
        self.queue = queue

    def put(self, task: dict[str, Any]) -> None:
        """Send a result, unless nobody would do anything with it."""
        if task["ack_id"] is not None or not task["success"]:
            self.queue.put(task)


# ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def settle_in(*, own_group: bool = False, at_parents_death: int = signal.SIGKILL) -> None:
    """Make the process die with its parent and leave signals to stop to the parent, who ends the cluster in order."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, at_parents_death)
    if os.getppid() != parent:
        os._exit(1)
    offspring.adopt()
    leave_signals()
    if own_group:
        os.setpgid(0, 0)
    connections.close_all()


def leave_signals() -> None:
    """Do nothing at signals to stop, by a function: that a signal is ignored, the programs that a step runs inherit."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, shrug)


def shrug(number: int, frame: Any) -> None:
    """Do nothing."""


def end_all(number: int, frame: Any) -> None:
    """End this process with all that is below it, what steps have started included."""
    offspring.end()
    os._exit(1)


class Sentinel(shipped.Sentinel):
    """Django-q2's sentinel, which ends what outlives its parent and kills overdue workers for sure."""

    def __init__(self, *args: Any, **kwargs: Any):
        signal.signal(signal.SIGUSR2, end_all)
        settle_in(at_parents_death=signal.SIGUSR2)
        super().__init__(*args, **kwargs)

    def start(self) -> None:
        """Start the processes and guard them; the shipped class has by now taken SIGTERM back."""
        leave_signals()
        super().start()

    def reincarnate(self, process: Any) -> None:
        """Replace a process that has died or must; what the step in it had started dies with it."""
        if process.pid not in (self.monitor.pid, self.pusher.pid):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        super().reincarnate(process)
        process.join(offspring.PATIENCE_SECONDS)
        offspring.end(but={own.pid for own in (*self.pool, self.monitor, self.pusher)})

    def spawn_process(self, target: Any, *args: Any) -> Any:
        """Start a process whose `terminate` cannot be ignored."""
        process = super().spawn_process(target, *args)
        process.terminate = process.kill
        return process


def worker(task_queue: Packets, result_queue: Packets, timer: Number, timeout: int) -> None:
    """Work in a process group of its own, so that what a step has started can be ended with it."""
    settle_in(own_group=True)
    heart.countdown = timer
    shipped_worker(task_queue, Results(result_queue), timer, timeout)


def monitor(result_queue: Packets, broker: Any = None) -> None:
    """Record the results of django-q2's own tasks."""
    settle_in()
    shipped_monitor(result_queue, broker)


def pusher(task_queue: Packets, event: Flag, broker: Any = None) -> None:
    """Take tasks from the broker whenever the workers have taken all that was there.

    Nothing more is claimed than the next batch, and that is given back when no worker takes it within a second, so that
    nothing waits behind long steps which another node could do or a person wants to cancel. A broken database is waited
    for.
    """
    settle_in()
    batch = Batch(Conf.WORKERS)
    while not event.is_set():
        if task_queue.empty():
            for task in batch.filled(broker.take(until=event, most=batch.size())):
                task_queue.put(task)
        elif batch.age() < PREFETCH_SECONDS:
            time.sleep(batch.pause())
        else:
            for task in batch.filled(broker.give_back(task_queue.get_all())):
                task_queue.put(task)
            event.wait(PREFETCH_SECONDS / 4)  # whoever is idle comes first


def install() -> None:
    """Put this module's parts into django-q2. Raises UnknownDjangoQ for any version but the tested one."""
    version = ".".join(map(str, django_q.VERSION))
    if version != KNOWN:
        raise UnknownDjangoQ(f"django-q2 {version} is installed; this release knows {KNOWN}: install requirements.txt.")
    shipped.Queue, shipped.Event, shipped.Value = Packets, Flag, Number
    shipped.Sentinel, shipped.worker, shipped.monitor, shipped.pusher = Sentinel, worker, monitor, pusher
    shipped_worker_module.close_old_django_connections = refresh
