"""The roles of a run, copied into its directory and checked there: a role that changes meanwhile changes no run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from apps.taskservs.ansible.requests import RunRequest
from apps.taskservs.catalog_loader import ROOT
from apps.taskservs.catalog_yaml import BadEntry


def copy_roles(folder: Path, request: RunRequest) -> RunRequest:
    """Return the request with copies in place of roles that are not built in.

    Raises BadEntry for one that would run something on the controller, or cannot be read.
    """
    copies: dict[str, Path] = {}
    for play in request.plays:
        if play.role_path not in copies and not Path(play.role_path).is_relative_to(ROOT):
            copies[play.role_path] = checked_copy(Path(play.role_path), folder / f"role-{len(copies)}")
    plays = [replace(play, role_path=str(copies.get(play.role_path, play.role_path))) for play in request.plays]
    return replace(request, plays=plays)


def checked_copy(role: Path, folder: Path) -> Path:
    """Copy a role into a folder, links as links, and return the copy. Raises BadEntry."""
    from apps.taskservs.role_safety import controller_faults

    copy = folder / role.name
    try:
        shutil.copytree(role, copy, symlinks=True)
    except OSError as error:
        raise BadEntry([f"{role.name}: the service cannot read all files of the role."]) from error
    faults = [] if settings.TASKSERV_TRUST_ROLES else controller_faults(copy)
    if faults:
        raise BadEntry(faults)
    return copy
