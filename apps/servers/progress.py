"""What the steps of a server's operations store in `Operation.state`."""

from __future__ import annotations

from typing import TypedDict

from apps.operations.models import Operation


class Progress(TypedDict, total=False):
    """The state of an operation on a server or an orphan; other apps' steps of its deletion add their own.

    `asked_at`: when a machine was last ordered, or a change of its power state last sent (ISO 8601); `answered`: the
    cloud has consented to that; `again`: it is known to have failed, and may be sent again; `down`: a machine that is
    rebooted was down; `looks`: how often a machine was looked for whose order was not answered; `polls`: how often
    a machine was polled; `absent`: a recreation has proved that the old machine is gone; `lost`: what was installed on
    it; `disks`: the disks of an orphan that is being deleted.
    """

    asked_at: str | None
    answered: bool
    again: bool
    down: bool
    looks: int
    polls: int
    absent: bool
    lost: list[str]
    disks: list[str]


def ordered_at(operation: Operation) -> str | None:
    """Return when the operation last sent an order to the cloud, None when it has sent none."""
    return progress_of(operation).get("asked_at")


def is_machine_proven_absent(operation: Operation) -> bool:
    """Tell whether a recreation has proved that the old machine is gone."""
    return progress_of(operation).get("absent", False)


def progress_of(operation: Operation) -> Progress:
    """Return the operation's state, which is JSON."""
    progress: Progress = operation.state
    return progress
