"""Doing what a check has shown, and only that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.taskservs.errors import CheckNotCompleted, CheckOutdated, UnknownCheck


@transaction.atomic
def do_as_checked(submit: Callable[[], Operation], *, check: UUID, actor: User | None) -> Operation:
    """Submit an operation that does what a completed check of the same user has shown.

    Nothing is submitted when it would do anything else by now. Raises UnknownCheck, CheckNotCompleted, CheckOutdated,
    and what `submit` raises.
    """
    shown = Operation.objects.filter(pk=check, actor=actor, check_mode=True).first()
    if shown is None:
        raise UnknownCheck
    if shown.status != Operation.Status.COMPLETED:
        raise CheckNotCompleted(status=shown.status)
    operation = submit()
    if meaning(operation) != meaning(shown):
        raise CheckOutdated
    return operation


def meaning(operation: Operation) -> tuple[Any, ...]:
    """Return what an operation does where; the id of a taskserv that it makes does not matter."""
    params = operation.params
    parts = [{**part, "taskserv": part["taskserv"] if part["was"] else ""} for part in params["plan"]]
    return (
        operation.kind,
        operation.workspace_id,
        parts,
        *(params.get(name) for name in ("joining", "leaving", "purge")),
    )
