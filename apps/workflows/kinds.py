"""The operations of this app."""

from apps.operations.registry import OperationKind
from apps.workflows import services
from apps.workflows.api.serializers import submission
from apps.workflows.definition import APPROVE, RUN, WAIT
from apps.workflows.handlers import approvals as approval_handlers
from apps.workflows.handlers import run as run_handlers
from apps.workflows.handlers import schedules as schedule_handlers
from apps.workflows.handlers import waits as wait_handlers
from apps.workflows.models import FIRE, ROLLBACK
from apps.workflows.services import approvals, rollback, schedules, waits
from apps.workflows.services.pinned_definition import secrets_in

KINDS = [
    OperationKind(
        name=RUN,
        title="Run a workflow",
        run=run_handlers.run_workflow,
        compensate=run_handlers.undo_workflow,
        apply_outcome=services.apply_workflow_outcome,
        secrets=lambda operation: secrets_in(operation.pk),
        deadline_seconds=7 * 86400,
        submit=services.submit_workflow,
        validate_input=submission,
        permission="workflow_submit",
    ),
    OperationKind(
        name=APPROVE,
        title="Wait for an approval",
        run=approval_handlers.await_approval,
        submit=approvals.submit_approval,
        validate_input=approvals.approval_input,
        describe=approvals.describe_approval,
        permission="workflow_submit",
        compensation=lambda result, given: None,
    ),
    OperationKind(
        name=WAIT,
        title="Wait",
        run=wait_handlers.wait,
        submit=waits.submit_wait,
        validate_input=waits.wait_input,
        describe=waits.describe_wait,
        permission="workflow_submit",
        compensation=lambda result, given: None,
    ),
    OperationKind(
        name=ROLLBACK,
        title="Roll back a workflow",
        run=run_handlers.roll_back_workflow,
        apply_outcome=rollback.apply_rollback_outcome,
        secrets=lambda operation: secrets_in(operation.params["workflow"]),
        deadline_seconds=7 * 86400,
        submit=rollback.roll_back_workflow,
        validate_input=rollback.rollback_input,
        permission="workflow_cancel",
        destroys=True,
    ),
    OperationKind(
        name=FIRE,
        title="Wait for the time of a schedule",
        run=schedule_handlers.fire_schedule,
        apply_outcome=schedules.apply_fire_outcome,
        secrets=schedules.secrets_of_fire,
        keep_days=30,
    ),
]
