"""System checks before a deployment: a definition that could not run is named before anybody submits it."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from apps.workflows.definition_references import faults_of
from apps.workflows.definitions import definitions
from apps.workflows.errors import DefinitionError


def check_definitions(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Hold every definition of the package to its own rules, and to the kinds of operation there are."""
    hint = "Correct the file in apps/workflows/definitions."
    try:
        known = definitions()
    except DefinitionError as error:
        return [Error(str(error), hint=hint, id="workflows.E001")]
    return [
        Error(f"{type}: {fault}.", hint=hint, id=f"workflows.{'E003' if 'permission' in str(fault.path) else 'E002'}")
        for type, definition in known.items()
        for fault in faults_of(definition, type)
    ]
