"""System checks of the catalog: faults in the operator's own entries are reported when the service starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from apps.taskservs.catalog_loader import load_catalog, operators, with_requirements
from apps.taskservs.errors import RequirementCycle, UnknownTaskserv


def check_catalog(**options: Any) -> list[CheckMessage]:
    """Check the operator's entries, and what the whole catalog requires with them."""
    if not settings.TASKSERV_PATHS:
        return []  # the built-in catalog is checked by the tests of each release
    found: list[CheckMessage] = [
        Error(
            f"TASKSERV_PATHS names {path}, which is no directory.",
            hint="Create it or take it out.",
            id="taskservs.E001",
        )
        for path in settings.TASKSERV_PATHS
        if not Path(path).is_dir()
    ]
    _, bad = operators(tuple(settings.TASKSERV_PATHS))
    for name, faults in sorted(bad.items()):
        found += [
            Error(text, obj=name, hint="docs/taskservs.md has the format.", id="taskservs.E002") for text in faults
        ]
    for definition in load_catalog().values():
        try:
            with_requirements(definition)
        except (UnknownTaskserv, RequirementCycle) as error:
            found.append(Error(str(error), obj=definition.name, hint="Correct `requires`.", id="taskservs.E003"))
    return found
