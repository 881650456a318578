"""Services of workflows: one module for each change or question."""

from __future__ import annotations

from apps.workflows.services.cancel import cancel_workflow
from apps.workflows.services.lookup import awaiting_approval, steps_of, workflow_for, workflows_for
from apps.workflows.services.outcome import apply_workflow_outcome
from apps.workflows.services.submit import submit_workflow

__all__ = [
    "apply_workflow_outcome",
    "awaiting_approval",
    "cancel_workflow",
    "steps_of",
    "submit_workflow",
    "workflow_for",
    "workflows_for",
]
