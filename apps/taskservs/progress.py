"""What the steps of operations on taskservs store in `Operation.state`."""

from __future__ import annotations

from typing import Literal, TypedDict

from apps.operations.models import Operation

Counter = Literal["walked", "removed", "undone"]


class Leaving(TypedDict):
    """What was so of the servers that leave when their change began.

    `gone`: ids of those on which nothing could be done any more; `primary`: the id of the primary, where it leaves and
    another can take over, empty otherwise.
    """

    gone: list[str]
    primary: str


class Undo(TypedDict):
    """What a change had done when its undoing began.

    `came`, `left`: ids of the servers that it had let join, and of those it had let leave; `primary`: the id of the
    primary, where that had joined, empty otherwise.
    """

    came: list[str]
    left: list[str]
    primary: str


class Progress(TypedDict, total=False):
    """The state of an operation on a taskserv.

    `begun`: servers have been touched; `runs`: ids of the runs of Ansible, by name; `left`: ids of the servers on which
    the phase has to be done again; `changed`: tasks that have changed something; `stopped`: at the beginning of an
    undoing, no run goes on; `walked`, `removed`, `undone`: how many phases, or emulated tasks, are done.
    """

    begun: bool
    runs: dict[str, str]
    left: list[str]
    changed: int
    stopped: bool
    leaving: Leaving
    undo: Undo
    walked: int
    removed: int
    undone: int


class Departure(TypedDict, total=False):
    """What the steps by which clusters let a server go add to the state of its deletion.

    `leaves_until`: when it is deleted all the same (ISO 8601); `left`: they have let it go, or could not in time;
    `logged`: names of the runs whose errors are in the log.
    """

    leaves_until: str
    left: bool
    logged: list[str]


def progress_of(operation: Operation) -> Progress:
    """Return the operation's state, which is JSON."""
    progress: Progress = operation.state
    return progress


def departure_of(operation: Operation) -> Departure:
    """Return the state of a server's deletion, which is JSON."""
    departure: Departure = operation.state
    return departure
