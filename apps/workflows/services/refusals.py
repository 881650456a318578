"""What is certain to refuse a step of a workflow, told before the first step begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.operations.registry import OperationKind
from apps.system.errors import DomainError, Invalid
from apps.workflows.concurrency import refuse_bad_limits
from apps.workflows.definition import RUN
from apps.workflows.errors import BadStepInput, Recursion
from apps.workflows.foreseen import foreseen
from apps.workflows.parameters import complete
from apps.workflows.services import step_transitions
from apps.workflows.services.call_cache import CallCache
from apps.workflows.services.definitions import Found, definition_for
from apps.workflows.step_graph import Instance
from apps.workspaces.models import Workspace

Path = tuple[str, ...]  # types of workflow, each of which runs the next


def refuse_bad_steps(
    operations: Iterable[tuple[Instance, dict[str, Any]]], workspace: Workspace, path: Path, cache: CallCache
) -> None:
    """Check every step whose input is known already, those of workflows inside too.

    Raises BadStepInput, and what is certain to refuse a step for another reason than its input.
    """
    for one, input in operations:
        kind = step_transitions.usable(one.step.uses)
        try:
            complete_input = step_transitions.checked(kind, input)
            preflight(kind, {"workspace": workspace.name, **complete_input}, workspace, path, cache)
        except Invalid as refusal:
            if refusal.code not in one.step.tolerate:
                what = refusal.text
                raise BadStepInput(step=one.name, uses=one.step.uses, what=what, field="parameters") from refusal
        except DomainError as refusal:
            if refusal.code not in one.step.tolerate:
                raise


def preflight(
    kind: OperationKind, input: Mapping[str, Any], workspace: Workspace, path: Path, cache: CallCache
) -> None:
    """Raise what is certain to refuse an operation."""
    if kind.preflight:
        cache.call(kind.preflight, input)
    if kind.name == RUN:
        found, given = inside(input, workspace, path)
        if given is not None:
            within = (*path, input["workflow_type"])
            refuse_bad_steps(foreseen(found.definition, given), workspace, within, cache)


def inside(input: Mapping[str, Any], workspace: Workspace, path: Path) -> tuple[Found, dict[str, Any] | None]:
    """Return the definition of a workflow inside another, and what it is given; None while that is not known.

    What it changes or deletes is looked at when it begins, for an earlier step may make it. Raises Recursion,
    UnknownWorkflowType, BadDefinition, BadParameters, BadLimit.
    """
    type = input["workflow_type"]
    if type in path:
        raise Recursion(type=type, path=" → ".join([*path, type]))
    found = definition_for(type, workspace)
    values = complete(type, found.definition.parameters, input.get("parameters") or {})
    given = {"parameters": values, "existing": None}
    refuse_bad_limits(found.definition, given)
    return found, given if found.definition.effect not in ("change", "delete") else None
