"""Titles of workflows, of their types and of rollbacks, instead of their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from apps.operations.admin import register_target_names, register_titles
from apps.operations.models import Operation
from apps.system.admin.facts import register_fact_wording
from apps.workflows.definition import RUN
from apps.workflows.definitions import definitions
from apps.workflows.models import ROLLBACK, Workflow
from apps.workflows.services.definitions import Found, all_definitions
from apps.workspaces.models import Workspace


class TypeTitles:
    """Reads uploaded definitions and those of a workspace once, and only if the package has not the type."""

    def __init__(self) -> None:
        self.found: dict[int | None, dict[str, Found]] = {}

    def of(self, type: str, workspace: Workspace | None) -> str:
        """Return a type's title; of one whose definition is gone, its name as words."""
        if type in definitions():
            return definitions()[type].title
        key = workspace.pk if workspace else None
        if key not in self.found:
            self.found[key] = all_definitions(workspace)
        known = self.found[key].get(type)
        return known.definition.title if known else type.replace("_", " ").replace("-", " ").capitalize()


def workflow_titles(rows: Sequence[Operation]) -> dict[Any, str]:
    """Return what workflows and rollbacks do and to what, by id, such as `Create cluster shop`; one query."""
    meant = {row.pk: of for row in rows if (of := row.pk if row.kind == RUN else rolled_back(row))}
    found = Workflow.objects.filter(pk__in=set(meant.values())).select_related("operation__workspace")
    titles = {workflow.pk: workflow_title(workflow) for workflow in found}
    heads = {row.pk: "" if row.kind == RUN else "Roll back: " for row in rows}
    return {pk: f"{heads[pk]}{titles[of]}" for pk, of in meant.items() if of in titles}


def rolled_back(row: Operation) -> UUID | None:
    """Return the id of the workflow that a rollback takes back."""
    return UUID(row.params["workflow"]) if row.params.get("workflow") else None


def workflow_title(workflow: Workflow) -> str:
    """Return the title of its definition with the target's name in it."""
    title = workflow.definition.get("title") or TypeTitles().of(workflow.type, workflow.operation.workspace)
    sort, _, name = workflow.operation.target.rpartition("/")[2].partition(":")
    if not name:
        return title
    return title.replace(f"a {sort}", f"{sort} {name}") if f"a {sort}" in title else f"{title}: {name}"


def thing_names(keys: Iterable[str]) -> dict[str, str]:
    """Return what workflows act on in words: `production/cluster:shop` is `cluster shop`."""
    return {key: key.partition("/")[2].replace(":", " ", 1) for key in keys if "/" in key}


register_titles(RUN, workflow_titles)
register_titles(ROLLBACK, workflow_titles)
register_target_names("workspace", thing_names)
register_fact_wording("workflow_type", lambda name: definitions()[name].title if name in definitions() else name)
