"""The processes beside a node's cluster of workers, which run while they are needed, under the worker's supervisor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from apps.operations import registry
from apps.operations.registry import NodeProcess
from apps.operations.worker import child_processes
from apps.operations.worker.shared_state import WakeupPipe
from apps.system.forked_process import ForkedProcess
from apps.system.supervision import Child, Hopeless

logger = logging.getLogger(__name__)
AGAIN_SECONDS = 60.0
wakeup: WakeupPipe | None = None  # of the supervisor that this process was forked from


def wake_supervisor() -> None:
    """Let this node's supervisor look now whether a process is needed; elsewhere than in a worker, do nothing."""
    if wakeup is not None:
        wakeup.wake()


class NodeProcesses:
    """Starts each registered process when it is needed, and again when it has died before it was done.

    `others` names the supervisor's other children.
    """

    def __init__(self, node: str, folder: Path, others: Callable[[], set[int]]):
        global wakeup
        self.node, self.folder, self.others = node, folder, others
        self.wakeup = wakeup = WakeupPipe()
        self.children = {process.name: self.child(process) for process in registry.node_processes()}
        self.resting = set(self.children)
        self.again_at: dict[str, float] = {}

    def child(self, process: NodeProcess) -> Child:
        """Return a process to be kept alive."""
        return Child(process.name, partial(self.start, process), logger.warning)

    def start(self, process: NodeProcess) -> ForkedProcess:
        """Start a process, once nothing is left of what an earlier one had started. Raises OSError."""
        child_processes.kill_all(but=self.others() | self.pids())
        return ForkedProcess(partial(self.run, process), name=process.name)

    def run(self, process: NodeProcess) -> None:
        """Be the process; the supervisor's pipe is not its own."""
        global wakeup
        wakeup = None
        process.run(self.node, self.folder)

    def start_needed(self) -> None:
        """Start those that rest and are needed. Raises Error of the database."""
        for process in registry.node_processes():
            if process.name in self.resting and process.is_needed():
                self.resting.remove(process.name)
        self.keep_alive()

    def keep_alive(self) -> None:
        """Start again what has died; what is done rests, and what fails again and again is left alone for a minute."""
        for process in registry.node_processes():
            child = self.children[process.name]
            if child.process is not None and child.process.poll() == 0:
                self.children[process.name] = self.child(process)
                self.resting.add(process.name)
            elif process.name not in self.resting and time.monotonic() >= self.again_at.get(process.name, 0.0):
                self.keep_child_alive(process, child)

    def keep_child_alive(self, process: NodeProcess, child: Child) -> None:
        """Start a process if it does not live, or put that off."""
        try:
            child.keep_alive()
        except Hopeless as error:
            logger.error("%s It is tried again in %.0f s.", error, AGAIN_SECONDS)  # noqa: TRY400 - no bug here
            self.again_at[process.name] = time.monotonic() + AGAIN_SECONDS
            self.children[process.name] = self.child(process)

    def pids(self) -> set[int]:
        """Return the ids of those that run."""
        return {child.process.pid for child in self.children.values() if child.process is not None}

    def terminate(self) -> None:
        """Ask all to end."""
        for child in self.children.values():
            child.terminate()

    def wait(self, until: float) -> None:
        """Wait for their end until a moment of the monotonic clock, then kill them."""
        for child in self.children.values():
            child.wait(until)
