"""Which permissions a workflow type needs beyond `workflow_submit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apps.accounts.models import User
from apps.operations.registry import kinds
from apps.system.errors import Forbidden
from apps.system.permissions import full_name
from apps.workflows.definition import RUN, Definition
from apps.workflows.definitions import definitions

Find = Callable[[str], Definition | None]  # a type's definition; None where there is none


def of_package(type: str) -> Definition | None:
    """Find a type of the package."""
    return definitions().get(type)


def check_permissions(actor: User | None, definition: Definition, find: Find = of_package) -> None:
    """Refuse an actor who may not do what the definition needs; the service itself may. Raises Forbidden."""
    for codename in required_permissions(definition, find):
        if actor is not None and not actor.has_perm(full_name(codename)):
            raise Forbidden(permission=codename)


def required_permissions(definition: Definition, find: Find = of_package) -> list[str]:
    """Return what the definition asks for, and the permission of each kind of step that deletes what exists.

    `find` knows the workflows that its steps name. What a rollback deletes is not among them: it takes back only what
    the same workflow has made.
    """
    return sorted(set(permissions_in(definition, find, seen=set())))


def permissions_in(definition: Definition, find: Find, seen: set[str]) -> Iterator[str]:
    """Yield the permissions of a definition and of the workflows that its steps name.

    One that is named by an expression is checked when its step submits it.
    """
    yield from definition.permissions
    for step in definition.steps:
        kind = kinds().get(step.uses)
        if kind is not None and kind.destroys:
            yield kind.permission
        named = step.given.get("workflow_type") if step.uses == RUN else None
        if isinstance(named, str) and named not in seen and (inner := find(named)):
            seen.add(named)
            yield from permissions_in(inner, find, seen)
