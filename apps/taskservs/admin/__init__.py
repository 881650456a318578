"""Taskservs in the console: the catalog, installing, and everything that can be done with one."""

from apps.taskservs.admin import check_results, reruns  # noqa: F401 - they register how results are shown, and reruns
from apps.taskservs.admin.pages import TaskservAdmin

__all__ = ["TaskservAdmin"]
