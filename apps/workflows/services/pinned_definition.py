"""What is pinned to a workflow when it is submitted and never changes: its definition, what it was given, secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from apps.operations.hidden_input import hidden_above
from apps.operations.registry import kinds
from apps.system.hidden_values import HiddenValues
from apps.workflows.definition import Definition, pinned
from apps.workflows.derived_secrets import derived_secrets
from apps.workflows.models import Step, Workflow
from apps.workflows.secrets import Secrets

EXISTING_SECRETS = "_secrets"  # key of `Workflow.existing`: no expression can read a name that begins with _


@lru_cache(maxsize=32)
def definition_of(workflow: UUID) -> Definition:
    """Return a workflow's definition."""
    raw = Workflow.objects.values_list("definition", flat=True).get(pk=workflow)
    return pinned(orjson.dumps(raw))


def given_to(workflow: UUID) -> dict[str, Any]:
    """Return a workflow's `parameters` and `existing`, the caller's own copy."""
    return orjson.loads(given_text(workflow))


@lru_cache(maxsize=32)
def given_text(workflow: UUID) -> bytes:
    """Return what a workflow was given, as JSON."""
    return orjson.dumps(Workflow.objects.values("parameters", "existing").get(pk=workflow))


@lru_cache(maxsize=32)
def secrets_of(workflow: UUID) -> Secrets:
    """Return what hides the secrets that may turn up in a workflow.

    They are those among its parameters, those of the workflows that it is part of and that it goes on with, those of
    the one that created its target, and what its expressions make of all these.
    """
    row = Workflow.objects.select_related("operation").get(pk=workflow)
    further: list[Iterable[Any]] = []
    if row.operation.parent_id:
        further.append(hidden_above(row.operation.parent_id).forms)
    if row.resumes_id:
        further.append(secrets_of(row.resumes_id).values.forms)
    return secrets_given(definition_of(workflow), given_to(workflow), further)


def secrets_given(
    definition: Definition,
    given: Mapping[str, Any],
    further: Iterable[Iterable[Any]] = (),
    *,
    refuse_many: bool = False,
) -> Secrets:
    """Return what hides the secrets in what a workflow is given, further ones, and what its expressions make of these.

    Raises TooManySecrets where expressions make too many, if those are to be refused.
    """
    existing = (given["existing"] or {}).get(EXISTING_SECRETS, ())
    secrets = Secrets(definition.parameters, given["parameters"], [existing, *further])
    return secrets.and_also(derived_secrets(definition, given, secrets.values, refuse_many=refuse_many))


def secrets_in(workflow: Any) -> Iterable[Any]:
    """Return the secret values that may turn up in a workflow; none for a preview, or where it is gone."""
    try:
        return secrets_of(workflow).values.forms
    except Workflow.DoesNotExist:
        return ()


def hidden_in_step(step: Step) -> HiddenValues:
    """Return what hides the secrets that may turn up in a step: the workflow's, and those of its own input."""
    return secrets_of(step.workflow_id).values.and_also(secret_input(step.uses, step.input))


def secret_input(uses: str, input: Mapping[str, Any] | None) -> Iterable[Any]:
    """Return the secret values in the input of a kind of operation."""
    kind = kinds().get(uses)
    return kind.secret_input(input or {}) if kind and kind.secret_input else ()
