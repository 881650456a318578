"""Doing again what an operation did, with the same values, through the service that did it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.operations.models import Operation
from apps.system.admin import PageLink


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """How operations of a kind are done again: `submit(operation, actor)` calls the service, `permission` is its own.

    `suits` tells whether an operation can be; `label` is the text of the button.
    """

    permission: str
    submit: Callable[[Operation, Any], Operation]
    suits: Callable[[Operation], bool] = lambda operation: True
    label: str = "Run again"
    warning: str = "The same is done once more, with the same values."


@dataclass(frozen=True, kw_only=True)
class RerunForm:
    """The form by which operations of a kind are done again; `address` is empty for those that it is not for."""

    permission: str
    address: Callable[[Operation], str]


_reruns: dict[str, Rerun] = {}
_forms: dict[str, RerunForm] = {}


def register_rerun(kind: str, rerun: Rerun) -> None:
    """Add how operations of a kind are done again."""
    _reruns[kind] = rerun


def register_rerun_form(kind: str, form: RerunForm) -> None:
    """Add the form by which operations of a kind are done again."""
    _forms[kind] = form


def rerun_link(operation: Operation) -> PageLink | None:
    """Return the button that leads to the form by which an operation is done again, None where there is none."""
    form = _forms.get(operation.kind)
    address = form.address(operation) if form else ""
    return PageLink("Run again…", address, form.permission) if form and address else None


def rerun_of(operation: Operation) -> Rerun | None:
    """Return how an ended operation can be done again; None when it cannot, or is part of another."""
    rerun = _reruns.get(operation.kind)
    if rerun is None or operation.due_at is not None or operation.parent_id is not None:
        return None
    return rerun if rerun.suits(operation) else None


def rerun_permissions() -> set[str]:
    """Return the permissions of all of them."""
    return {rerun.permission for rerun in _reruns.values()}
