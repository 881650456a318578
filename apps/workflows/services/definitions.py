"""Where definitions come from: the package, the directory of a workspace, and the database."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.system.database import integrity_error_as
from apps.system.errors import NotFound
from apps.workflows.definition import MAX_BYTES, Definition
from apps.workflows.definition_references import faults_of
from apps.workflows.definitions import definitions
from apps.workflows.errors import (
    BadDefinition,
    DefinitionError,
    NameOfPackage,
    TooManyDefinitions,
    UnknownWorkflowType,
    UploadedTwice,
)
from apps.workflows.models import WorkflowDefinition
from apps.workspaces.models import Workspace

FOLDER, MAX_FILES, MAX_UPLOADS = "workflows", 200, 200


@dataclass(frozen=True)
class Found:
    """A definition, and where it comes from: `package`, `upload:<version>` or `workspace:<path of the file>`."""

    definition: Definition
    source: str


def definition_for(type: str, workspace: Workspace | None) -> Found:
    """Return the definition of a type: the package's, else the workspace's, else the uploaded one.

    Raises UnknownWorkflowType, and BadDefinition for a file that cannot be used.
    """
    if type in definitions():
        return Found(definitions()[type], "package")
    found = in_workspace(type, workspace) or uploaded(type)
    if found is None:
        known = ", ".join(known_types(workspace))
        raise UnknownWorkflowType(type=type, known=known, field="workflow_type")
    return found


def finder(workspace: Workspace | None) -> Callable[[str], Definition | None]:
    """Return a function that gives the definition of a type that the workspace has, None for any other name."""

    def find(type: str) -> Definition | None:
        try:
            return definition_for(type, workspace).definition
        except (UnknownWorkflowType, BadDefinition):
            return None

    return find


def known_types(workspace: Workspace | None) -> list[str]:
    """Return the names of all types that the workspace has."""
    names = {path.stem for path in files_of(workspace)} | set(latest_uploads().values_list("name", flat=True))
    return [*definitions(), *sorted(names - set(definitions()))]


def all_definitions(workspace: Workspace | None = None) -> dict[str, Found]:
    """Return all definitions that can be used, by type; files that cannot be used are left out."""
    found = {type: Found(each, "package") for type, each in definitions().items()}
    for path in files_of(workspace):
        try:
            found.setdefault(path.stem, read_file(path))
        except BadDefinition:
            continue
    for row in latest_uploads():
        try:
            found.setdefault(row.name, from_row(row))
        except BadDefinition:
            continue
    return found


# ── files of a workspace ──────────────────────────────────────────────────────────────────────────────────────────────
def folder_of(workspace: Workspace | None) -> Path | None:
    """Return the workspace's folder of definitions; None where the operator allows none."""
    if workspace is None:
        return None
    folder = Path(os.path.realpath(Path(workspace.path) / FOLDER))
    roots = [Path(os.path.realpath(root)) for root in settings.WORKFLOW_WORKSPACE_ROOTS]
    return folder if any(folder.is_relative_to(root) for root in roots) else None


def files_of(workspace: Workspace | None) -> list[Path]:
    """Return the definition files of a workspace, links that lead out of its folder left out."""
    folder = folder_of(workspace)
    if folder is None or not folder.is_dir():
        return []
    files = sorted(path for path in folder.glob("*.yaml") if Path(os.path.realpath(path)).parent == folder)
    return [path for path in files if path.is_file()][:MAX_FILES]


def in_workspace(type: str, workspace: Workspace | None) -> Found | None:
    """Return the definition in the workspace's file of that name. Raises BadDefinition."""
    path = next((path for path in files_of(workspace) if path.stem == type), None)
    return read_file(path) if path else None


def read_file(path: Path) -> Found:
    """Return the definition in a file. Raises BadDefinition."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
        return Found(parsed(text, path.name), f"workspace:{path}"[:300])
    except (OSError, UnicodeDecodeError) as error:
        raise BadDefinition(f"{path.name}: the service cannot read it as UTF-8 text.", field="text") from error


@lru_cache(maxsize=256)
def parsed(text: str, name: str) -> Definition:
    """Return the definition in a text, all that it refers to being there. Raises BadDefinition."""
    from apps.workflows.definition_files import parse_text

    try:
        return parse_text(text, name, refer=faults_of)
    except DefinitionError as error:
        faults = [str(fault)[:1000] for fault in error.faults]
        more = f" Found besides: {len(faults) - 1}; see details." if faults[1:] else ""
        raise BadDefinition(faults[0] + more, details={"text": faults}) from error


# ── uploads ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def latest_uploads() -> QuerySet[WorkflowDefinition]:
    """Select the last version of each uploaded definition that is not retired."""
    later = WorkflowDefinition.objects.filter(name=OuterRef("name"), version__gt=OuterRef("version"))
    return WorkflowDefinition.objects.filter(~Exists(later), retired=False).order_by("name")


def uploaded(type: str) -> Found | None:
    """Return the last version of an uploaded definition; None where there is none, or it is retired."""
    row = WorkflowDefinition.objects.filter(name=type).order_by("-version").first()
    return from_row(row) if row and not row.retired else None


def from_row(row: WorkflowDefinition) -> Found:
    """Return the definition of a row, which was checked when it was uploaded. Raises BadDefinition."""
    return Found(read_upload(row.text, row.name), f"upload:{row.version}")


@lru_cache(maxsize=256)
def read_upload(text: str, name: str) -> Definition:
    """Return an uploaded definition. Raises BadDefinition for one that an earlier version took and this cannot read."""
    from apps.workflows.definition_files import parse_text

    try:
        return parse_text(text, name, checked=True)
    except DefinitionError as error:
        raise BadDefinition(str(error)[:1000], field="workflow_type") from error


@transaction.atomic
def upload_definition(*, name: str, text: str, actor: User) -> WorkflowDefinition:
    """Store a definition, as the next version of its type.

    Raises NameOfPackage, BadDefinition, TooManyDefinitions, UploadedTwice.
    """
    if name in definitions():
        raise NameOfPackage(name=name, field="name")
    parsed(text, name)
    last = WorkflowDefinition.objects.filter(name=name).order_by("-version").first()
    if (last is None or last.retired) and latest_uploads().count() >= MAX_UPLOADS:
        raise TooManyDefinitions(most=MAX_UPLOADS)
    if last and last.text == text and not last.retired:
        return last
    version = last.version + 1 if last else 1
    with integrity_error_as(UploadedTwice(name=name), "one_definition_of_a_version"):
        return WorkflowDefinition.objects.create(name=name, version=version, text=text, uploaded_by=actor)


@transaction.atomic
def retire_definition(*, name: str) -> WorkflowDefinition:
    """Let a type be submitted no more; workflows under way go on. Raises NotFound."""
    last = WorkflowDefinition.objects.select_for_update().filter(name=name).order_by("-version").first()
    if last is None or last.retired:
        raise NotFound(what="uploaded definition", id=name)
    WorkflowDefinition.objects.filter(pk=last.pk).update(retired=True)
    last.retired = True
    return last
