"""Submitting a workflow: check it, pin its definition and parameters, queue it, create its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.system.work_limit import limited_work
from apps.workflows.concurrency import refuse_bad_limits
from apps.workflows.definition import RUN, Definition
from apps.workflows.errors import Recursion, TargetExists, TargetMissing
from apps.workflows.expressions import evaluate
from apps.workflows.foreseen import foreseen
from apps.workflows.models import Workflow
from apps.workflows.parameters import complete
from apps.workflows.permissions import check_permissions
from apps.workflows.services import step_transitions
from apps.workflows.services.call_cache import CallCache
from apps.workflows.services.definitions import Found, definition_for, finder
from apps.workflows.services.freeze import check_override
from apps.workflows.services.pinned_definition import EXISTING_SECRETS, secrets_given, secrets_of
from apps.workflows.services.preview import facts_of, record_preview, refuse_if_changed
from apps.workflows.services.refusals import refuse_bad_steps
from apps.workflows.step_graph import StepGraph
from apps.workspaces.models import Workspace
from apps.workspaces.services import workspace_named

MAX_WORK = 150_000  # units, for all that one submission checks and evaluates


@limited_work(MAX_WORK)
@transaction.atomic
def submit_workflow(
    *,
    workspace: str,
    actor: User | None,
    workflow_type: str,
    parameters: Mapping[str, Any] | None = None,
    check_mode: bool = False,
    digest: str = "",
    override_freeze: str = "",
    parent: Operation | None = None,
    **links: Any,
) -> Operation:
    """Queue a workflow, its definition and parameters pinned; in check mode only tell what it would do.

    With the `digest` of a preview it is run exactly as that, or refused. `override_freeze` is the reason to begin in
    spite of a freeze window. `links` are further columns of the workflow. Raises UnknownWorkspace,
    UnknownWorkflowType, Recursion, Forbidden, BadParameters, TargetBusy, TargetExists, TargetMissing, BadStepInput,
    UnknownDigest, PlanChanged, and what is certain to refuse one of its steps.
    """
    place = workspace_named(workspace)
    found = definition_for(workflow_type, place)
    definition = found.definition
    refuse_recursion(workflow_type, parent)
    check_permissions(actor, definition, finder(place))
    if override_freeze:
        check_override(actor)
    values = complete(workflow_type, definition.parameters, parameters or {})
    target = target_of(definition, place, values)
    if check_mode:
        facts = facts_of(**subject(workflow_type, found, place, values, existing_at(target, definition.effect, place)))
        return record_preview(facts=facts, workspace=place, actor=actor)
    params = {"workflow_type": workflow_type, "parameters": values}
    operation = operations.submit(kind=RUN, workspace=place, actor=actor, target=target, params=params, parent=parent)
    existing = existing_at(target, definition.effect, place)  # the target being held, nobody else can change it
    about = subject(workflow_type, found, place, values, existing)
    if digest:
        refuse_if_changed(digest=digest, facts=facts_of(**about))
    refuse_bad_steps(about["operations"], place, (workflow_type,), CallCache())
    workflow = Workflow.objects.create(
        operation=operation,
        type=workflow_type,
        effect=definition.effect,
        definition=definition.raw,
        parameters=values,
        existing=existing,
        source=found.source,
        freeze_override=override_freeze,
        **links,
    )
    step_transitions.create_steps(workflow.pk, StepGraph(definition, about["given"], {}))
    return operation


def subject(
    type: str, found: Found, workspace: Workspace, parameters: Mapping[str, Any], existing: Any
) -> dict[str, Any]:
    """Return what a preview is about. Raises BadLimit, TooManyOperations, BadStepInput, TooManySecrets."""
    given = {"parameters": parameters, "existing": existing}
    refuse_bad_limits(found.definition, given)
    facts = {"type": type, "source": found.source, "definition": found.definition, "workspace": workspace}
    facts["operations"] = foreseen(found.definition, given)
    facts["secrets"] = secrets_given(found.definition, given, refuse_many=True)
    return {**facts, "given": given}


def refuse_recursion(type: str, parent: Operation | None) -> None:
    """Refuse a workflow that would run as a step of itself, directly or through others. Raises Recursion."""
    path = [type]
    while parent is not None:
        path.insert(0, parent.params["workflow_type"] if parent.kind == RUN else parent.kind)
        if path[0] == type:
            raise Recursion(type=type, path=" → ".join(path))
        parent = parent.parent


def target_of(definition: Definition, workspace: Workspace, parameters: Mapping[str, Any]) -> str:
    """Return the name of what the workflow changes: always something inside its workspace."""
    if not definition.target:
        return ""
    return f"workspace:{workspace.name}/{evaluate(definition.target, {'parameters': parameters})}"


def existing_at(target: str, effect: str, workspace: Workspace) -> dict[str, Any] | None:
    """Return what the last workflow that created or changed the target gave out, and the creation's `parameters`.

    Raises TargetExists, TargetMissing.
    """
    lasting = Workflow.objects.filter(operation__target=target, operation__status=Operation.Status.COMPLETED)
    lasting = lasting.filter(rolled_back_at=None).order_by("-operation__ended_at")
    last = lasting.filter(effect__in=["create", "delete"]).first()
    creation, name = last if last and last.effect == "create" else None, target.partition("/")[2]
    if effect == "create" and creation:
        raise TargetExists(target=name, workflow=creation.pk)
    if effect in ("change", "delete") and not creation:
        raise TargetMissing(target=name, workspace=workspace.name, field="parameters")
    if not effect or not creation:
        return None
    latest = lasting.filter(effect="change", operation__ended_at__gt=creation.operation.ended_at).first() or creation
    secret = {*secrets_of(creation.pk).values.forms, *secrets_of(latest.pk).values.forms}
    return {
        **(latest.outputs or {}),
        "parameters": creation.parameters,
        **({EXISTING_SECRETS: sorted(secret)} if secret else {}),
    }
