"""System checks: a definition that could not run is named before anybody submits it."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from apps.operations.registry import kinds
from apps.workflows.definitions import definitions
from apps.workflows.errors import DefinitionError


def check_definitions(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Hold every definition to its own rules, and to the kinds of operation there are."""
    hint = "Correct the file in apps/workflows/definitions."
    try:
        known = definitions()
    except DefinitionError as error:
        return [Error(str(error), hint=hint, id="workflows.E001")]
    usable = {name for name, kind in kinds().items() if kind.submit}
    strange = [(type, step) for type, each in known.items() for step in each.steps if step.uses not in usable]
    return [
        Error(f"{type}: step {step.name} uses {step.uses}, which is not there.", hint=hint, id="workflows.E002")
        for type, step in strange
    ]
