"""What a definition refers to: kinds of operation, permissions, other workflow types. Checked against what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apps.operations.registry import kinds
from apps.system.errors import DomainError
from apps.system.permissions import full_name
from apps.workflows.definition import APPROVE, RUN, WAIT, Definition, StepDefinition
from apps.workflows.definition_checks import Path, suggestion
from apps.workflows.definitions import definitions
from apps.workflows.errors import DefinitionError
from apps.workflows.expressions import is_template, sources

_refusals: dict[type[Exception], Callable[[Any], DomainError]] = {}


def register_refusal(raised: type[Exception], translate: Callable[[Any], DomainError]) -> None:
    """Add an exception by which a kind's `validate_input` refuses an input, and how it becomes a DomainError."""
    _refusals[raised] = translate


def faults_of(definition: Definition, type: str) -> Iterator[DefinitionError]:
    """Yield what a definition refers to and is not there, a workflow that leads to itself among it."""
    usable = sorted(name for name, kind in kinds().items() if kind.submit)
    for index, permission in enumerate(definition.permissions):
        if not is_declared(permission):
            hint = "Use one of those in docs/api.md, such as server_delete."
            yield DefinitionError(f"there is no permission {permission}", path=("permissions", index), hint=hint)
    places = {raw["name"]: index for index, raw in enumerate(definition.raw["steps"])}
    for step in definition.steps:
        path: Path = ("steps", places[step.name])
        if step.uses not in usable:
            text = f"step {step.name} uses {step.uses}, which is not there"
            yield DefinitionError(text, path=(*path, "uses"), hint=suggestion(step.uses, usable))
        else:
            yield from faults_of_step(step, path, type)


def faults_of_step(step: StepDefinition, path: Path, type: str) -> Iterator[DefinitionError]:
    """Yield what is wrong with a step's literal input, and with the workflow that it runs."""
    if step.uses == APPROVE and not is_declared(step.given.get("permission", "workflow_cancel")):
        text = f"step {step.name}: there is no permission {step.given['permission']}"
        yield DefinitionError(text, path=(*path, "approve", "permission"), hint="Use one of those in docs/api.md.")
    elif step.uses == RUN:
        yield from faults_of_workflow(step, path, type)
    elif not any(sources(dict(step.given))) and (refusal := refusal_of(step)):
        key = step.uses.partition(".")[2] if step.uses in (APPROVE, WAIT) else "with"
        yield DefinitionError(f"step {step.name}: {refusal.rstrip('.')}", path=(*path, key), hint="Correct its input.")


def faults_of_workflow(step: StepDefinition, path: Path, type: str) -> Iterator[DefinitionError]:
    """Yield a fault when the step runs the workflow that it is part of, directly or through others."""
    named = step.given.get("workflow_type")
    if not isinstance(named, str) or is_template(named):
        return
    if named == type or type in reached_from(named, set()):
        text = f"step {step.name}: workflow {named} leads back to {type}"
        yield DefinitionError(text, path=(*path, "workflow"), hint="A workflow cannot run itself; use for_each.")


def reached_from(type: str, seen: set[str]) -> set[str]:
    """Return the types that a type's steps run, theirs, and so on; those of the package."""
    definition = definitions().get(type)
    for step in definition.steps if definition and type not in seen else ():
        named = step.given.get("workflow_type") if step.uses == RUN else None
        if isinstance(named, str) and named not in seen:
            seen |= {named} | reached_from(named, seen | {type})
    return seen


def refusal_of(step: StepDefinition) -> str:
    """Say why the kind refuses an input that has no expressions; empty when it does not."""
    try:
        checked_input(kinds()[step.uses].validate_input, step.given)
    except DomainError as refusal:
        return refusal.text
    return ""


def checked_input(check: Callable[[dict[str, Any]], dict[str, Any]] | None, input: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation's input, complete. Raises DomainError when the kind refuses it."""
    try:
        return check(dict(input)) if check else dict(input)
    except tuple(_refusals) as refusal:
        translate = next(to for known, to in _refusals.items() if isinstance(refusal, known))
        raise translate(refusal) from refusal


def is_declared(codename: str) -> bool:
    """Tell whether a model declares the permission."""
    try:
        return bool(full_name(codename))
    except LookupError:
        return False
