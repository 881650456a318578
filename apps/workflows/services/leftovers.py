"""What a workflow has left behind: what a rollback would take back, what it cannot, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from apps.operations.models import Operation
from apps.operations.registry import kinds
from apps.system.errors import DomainError
from apps.workflows.models import ROLLBACK, Step
from apps.workflows.services.pinned_definition import hidden_in_step
from apps.workflows.services.preview import total

Facts = dict[str, Any]


def steps_with_leftovers(workflow: Any) -> QuerySet[Step]:
    """Select the steps of which something is left: made and not taken back, or half made."""
    made = Q(status=Step.Status.COMPLETED) & (Q(inverse__isnull=False) | Q(lasting=True))
    half = Q(status__in=[Step.Status.FAILED, Step.Status.CANCELLED]) & (
        Q(inverse__isnull=False) | Q(rollback=Step.Rollback.FAILED)
    )
    gone = Q(rollback=Step.Rollback.COMPLETED)
    return Step.objects.filter(made | half, workflow=workflow).exclude(gone).order_by("position", "index")


def rollback_target(workflow: Operation) -> str:
    """Return the target of the operation that rolls a workflow back, so that there is one at a time."""
    return workflow.target or f"workflow:{workflow.pk}"


def record_leftovers(operation: Operation) -> None:
    """Store in the result of a workflow that did not complete what is left of it, and what that costs."""
    left = [describe(step, operation) for step in steps_with_leftovers(operation.pk)]
    if left:
        result = {"left": left, "price": total([each["price"] for each in left])}
        Operation.objects.filter(pk=operation.pk).update(result=result)


def describe(step: Step, operation: Operation) -> Facts:
    """Describe what is left of a step, secrets hidden."""
    ids = {key: value for key, value in (step.result or {}).items() if isinstance(value, str) and key != "ip_address"}
    facts: Facts = {"step": step.name, "uses": step.uses, "result": ids, "price": price_of(step, operation)}
    facts |= {"why": step.rollback_error} if step.rollback == Step.Rollback.FAILED else {}
    return hidden_in_step(step).hide(facts)


def price_of(step: Step, operation: Operation) -> dict[str, str] | None:
    """Return what the result of a step costs; None when it costs nothing or that is not known."""
    kind = kinds().get(step.uses)
    if kind is None or kind.price is None or operation.workspace is None:
        return None
    try:
        return kind.price(**{**(step.input or {}), "workspace": operation.workspace.name})
    except (DomainError, TypeError):  # the account, its plan or an argument is no longer there
        return None


def rollback_preview(operation: Operation) -> Facts:
    """Return what a rollback by hand would destroy and keep, and what it cannot take back."""
    steps = list(Step.objects.filter(workflow=operation.pk).order_by("position", "index"))
    left = {step.pk for step in steps_with_leftovers(operation.pk)}
    destroyed = [step for step in steps if step.pk in left and step.inverse]
    impossible = [step for step in steps if step.pk in left and not step.inverse]
    kept = [step for step in steps if step.status == Step.Status.COMPLETED and step.pk not in left]
    return {
        "check_mode": True,
        "destroyed": [{**describe(step, operation), "by": step.inverse[0]} for step in destroyed if step.inverse],
        "impossible": [{**describe(step, operation), "why": impossible_reason(step)} for step in impossible],
        "kept": [{"step": step.name, "uses": step.uses, "why": kept_reason(step)} for step in kept],
        "price": total([price_of(step, operation) for step in destroyed]),
    }


def impossible_reason(step: Step) -> str:
    """Say why nothing takes a step back."""
    return step.rollback_error or "nothing takes that back"


def kept_reason(step: Step) -> str:
    """Say why a step is left as it is."""
    return "it is rolled back" if step.rollback == Step.Rollback.COMPLETED else "it has made nothing"


def inverse_kinds(workflow: Any) -> set[str]:
    """Return the kinds of operation by which what a workflow left is taken back, workflows inside it included."""
    inverses = [step.inverse for step in steps_with_leftovers(workflow) if step.inverse]
    inner = [input["workflow_id"] for kind, input in inverses if kind == ROLLBACK]
    return {kind for kind, _ in inverses}.union(*map(inverse_kinds, inner))


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that differ, with their new values."""
    return {name: value for name, value in new.items() if name not in old or old[name] != value}
