"""Workflows in the console: their types, submitting, and everything that can be done with one; when they run."""

from apps.workflows.admin.definitions import WorkflowDefinitionAdmin
from apps.workflows.admin.freeze_windows import FreezeWindowAdmin
from apps.workflows.admin.pages import WorkflowAdmin
from apps.workflows.admin.schedules import ScheduleAdmin

__all__ = ["FreezeWindowAdmin", "ScheduleAdmin", "WorkflowAdmin", "WorkflowDefinitionAdmin"]
