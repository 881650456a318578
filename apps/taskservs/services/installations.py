"""The rows of single servers: what is done there, what came of it, and what that means for the taskserv."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from apps.servers.models import Server
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.models import Installation, Taskserv

State, Health = Installation.State, Installation.Health
NOTHING_THERE: dict[str, Any] = {
    "state": State.PENDING,
    "version": "",
    "health": Health.UNKNOWN,
    "verified_at": None,
    "error": "",
    "drift": "",
    "begun_at": None,
}


def add(taskserv: Taskserv, definition: Definition, servers: Iterable[Server]) -> None:
    """Write the rows of servers that get a taskserv, numbered on from those that have it."""
    last = taskserv.installations.order_by("-position").values_list("position", flat=True).first()
    start = 0 if last is None else last + 1
    Installation.objects.bulk_create(
        [
            Installation(taskserv=taskserv, server=server, position=position, role=definition.role_of(position))
            for position, server in enumerate(servers, start)
        ]
    )


def note_begun(taskserv_id: str, server_ids: Iterable[str]) -> None:
    """Note that the installer touches servers for a taskserv; what failed there before is its own from now on."""
    mine = Installation.objects.filter(taskserv=taskserv_id, server__in=server_ids)
    mine.filter(begun_at=None).update(begun_at=timezone.now())
    mine.filter(state__in=(State.PENDING, State.FAILED)).update(state=State.INSTALLING, error="")
    for server, name in list(mine.values_list("server", "taskserv__name")):
        before = Installation.objects.filter(
            server=server, taskserv__name=name, taskserv__status=Taskserv.Status.FAILED
        )
        before.exclude(taskserv=taskserv_id).exclude(begun_at=None).update(**NOTHING_THERE)


def note_removing(taskserv_id: str, server_ids: Iterable[str]) -> None:
    """Note that the installer is about to take a taskserv from servers."""
    Installation.objects.filter(taskserv=taskserv_id, server__in=server_ids).update(state=State.REMOVING, error="")


def note_installed(taskserv_id: str, server_ids: Iterable[str], version: str) -> None:
    """Note that a taskserv runs on servers."""
    facts: dict[str, Any] = {"state": State.RUNNING, "version": version, "error": "", "drift": ""}
    Installation.objects.filter(taskserv=taskserv_id, server__in=server_ids).update(**facts)


def note_verified(taskserv_id: str, server_ids: Iterable[str]) -> None:
    """Note that a taskserv was used on servers and works, which an emulated machine cannot show."""
    facts: dict[str, Any] = {"health": Health.HEALTHY, "verified_at": timezone.now(), "error": ""}
    Installation.objects.filter(taskserv=taskserv_id, server__in=server_ids).update(**facts)


def note_failed(taskserv_id: str, server_id: str, error: str) -> None:
    """Note what failed on a server; what is installed there already keeps its version."""
    Installation.objects.filter(taskserv=taskserv_id, server=server_id).update(
        state=State.FAILED, health=Health.UNKNOWN, error=error
    )


def note_unreachable(taskserv_id: str, server_id: str, error: str) -> None:
    """Note that a server did not answer: nothing is known of what is there."""
    Installation.objects.filter(taskserv=taskserv_id, server=server_id).update(health=Health.UNREACHABLE, error=error)


def note_removed(taskserv_id: str, server_ids: Iterable[str]) -> None:
    """Note that nothing is left on servers."""
    Installation.objects.filter(taskserv=taskserv_id, server__in=server_ids).update(**NOTHING_THERE)


def interrupt(taskserv_ids: Iterable[str], error: str) -> None:
    """Note that what was under way on the servers of these taskservs did not come to its end.

    A server that did not answer has not failed: what is to be done there is still to be done.
    """
    under_way = Installation.objects.filter(taskserv__in=taskserv_ids, state__in=(State.INSTALLING, State.REMOVING))
    under_way.filter(health=Health.UNREACHABLE).update(state=State.PENDING)
    under_way.filter(error="").update(error=error)
    under_way.update(state=State.FAILED)


def note_primary(taskserv_id: str, roles: tuple[str, ...]) -> None:
    """Give the first role to the first member, where no member has it any more: it has been promoted, or must be."""
    rows = Installation.objects.filter(taskserv=taskserv_id).order_by("position")
    if not rows.filter(role=roles[0]).exists() and (first := rows.first()):
        Installation.objects.filter(pk=first.pk).update(role=roles[0])


def note_promoted(taskserv_id: str, server_id: str, roles: tuple[str, ...]) -> None:
    """Note that a server has the first role from now on, and whoever had it the last one."""
    rows = Installation.objects.filter(taskserv=taskserv_id)
    rows.filter(role=roles[0]).exclude(server=server_id).update(role=roles[-1])
    rows.filter(server=server_id).update(role=roles[0])


def set_status(taskserv_ids: Iterable[str]) -> None:
    """Make taskservs that run on every server `running`, and the others `failed`."""
    for taskserv in Taskserv.objects.filter(pk__in=taskserv_ids):
        states = set(taskserv.installations.values_list("state", flat=True))
        status = Taskserv.Status.RUNNING if states <= {State.RUNNING} else Taskserv.Status.FAILED
        Taskserv.objects.filter(pk=taskserv.pk).update(status=status)
