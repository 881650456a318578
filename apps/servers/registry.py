"""Extension points of servers: what the apps above know of a server; each registers it from `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db.models import QuerySet

from apps.operations.handler_api import Context, Wait
from apps.servers.models import Server

Names = Callable[[Server], list[str]]
Departure = Callable[[Context, Server], Wait | None]
Grouping = Callable[[QuerySet[Server]], Iterable[tuple[str, str]]]

_occupants: list[Names] = []
_evictors: list[Callable[[Server], None]] = []
_busy_operations: list[Names] = []
_departures: list[Departure] = []
_groupings: dict[str, Grouping] = {}


def register_occupants(names: Names) -> None:
    """Add a function that names, for people, what is installed on a server."""
    _occupants.append(names)


def occupants_of(server: Server) -> list[str]:
    """Return the names of everything installed on a server."""
    return [name for names in _occupants for name in names(server)]


def register_evictor(evict: Callable[[Server], None]) -> None:
    """Add a function that deletes the rows of what was installed on a server whose machine is gone."""
    _evictors.append(evict)


def evict_occupants(server: Server) -> None:
    """Delete the rows of everything installed on a server."""
    for evict in _evictors:
        evict(server)


def register_departure(step: Departure) -> None:
    """Add a step of a deletion that lets what is on a server leave properly, before the machine goes.

    It returns None when nothing is left to be done, or could be: the deletion goes on then.
    """
    _departures.append(step)


def departure(context: Context, server: Server) -> Wait | None:
    """Take one step towards everything having left a server; None when it has, as far as it can."""
    return next((wait for step in _departures if (wait := step(context, server))), None)


def register_busy_operations(holders: Names) -> None:
    """Add a function that returns the ids of unfinished operations on what is installed on a server."""
    _busy_operations.append(holders)


def busy_operations_on(server: Server) -> list[str]:
    """Return the ids of unfinished operations that a stop of the server would break."""
    return [holder for holders in _busy_operations for holder in holders(server)]


def register_grouping(kind: str, pairs: Grouping) -> None:
    """Add a group of the inventory: a function that returns pairs of a server's id and a group name in one query."""
    _groupings[kind] = pairs


def groupings() -> dict[str, Grouping]:
    """Return all groupings by kind."""
    return dict(_groupings)
