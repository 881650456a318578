"""The operations of this app."""

from apps.operations.registry import Kind
from apps.workflows import handlers, services
from apps.workflows.api.serializers import submission
from apps.workflows.models import RUN

KINDS = [
    Kind(
        name=RUN,
        title="Run a workflow",
        run=handlers.run_workflow,
        undo=handlers.undo_workflow,
        settle=services.settle_workflow,
        deadline_seconds=7 * 86400,
        submit=services.submit_workflow,
        input=submission,
        permission="workflow_submit",
    ),
]
