"""Previews: what a workflow would do, in which order and at what price; and the digest by which exactly that is run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.system.errors import DomainError
from apps.system.hidden_values import HiddenValues
from apps.system.redaction import redact
from apps.workflows.definition import RUN, Definition, StepDefinition
from apps.workflows.errors import PlanChanged, UnknownDigest
from apps.workflows.expressions import steps_read
from apps.workflows.foreseen import foreseen
from apps.workflows.models import Preview
from apps.workflows.permissions import required_permissions
from apps.workflows.secrets import Secrets
from apps.workflows.services.call_cache import CallCache
from apps.workflows.services.definitions import finder
from apps.workflows.services.pinned_definition import EXISTING_SECRETS, secret_input, secrets_given
from apps.workflows.services.refusals import inside
from apps.workflows.services.step_transitions import checked, usable
from apps.workflows.step_graph import Instance, StepGraph
from apps.workspaces.models import Workspace

Facts = dict[str, Any]
MAX_CHANGES = 20


def facts_of(
    *,
    type: str,
    source: str,
    definition: Definition,
    workspace: Workspace,
    given: Mapping[str, Any],
    operations: Iterable[tuple[Instance, dict[str, Any]]],
    secrets: Secrets,
    path: tuple[str, ...] = (),
    cache: CallCache | None = None,
) -> Facts:
    """Return what the workflow would do, as far as that is known: by its `operations` whose input is.

    `path` are the types of the workflows that it is part of.
    """
    place = Place(workspace, (*path, type), cache or CallCache())
    existing = {key: value for key, value in (given["existing"] or {}).items() if key != EXISTING_SECRETS}
    known = {one.name: input for one, input in operations}
    graph = StepGraph(definition, given, {})
    levels = levels_of(definition)
    waves: list[list[Facts]] = [[] for _ in range(max(levels.values()))]
    unknown: list[Facts] = []
    for step in definition.steps:
        instances = graph.instances(step) if not step.grows else []
        for one in instances:
            if one.name in known:
                hidden = secrets.values.and_also(secret_input(step.uses, known[one.name]))
                waves[levels[step.name] - 1].append(described(one.name, step, known[one.name], place, hidden))
            else:
                unknown.append({"step": one.name, "reason": unknown_reason(step)})
        if step.grows:
            unknown.append({"step": step.name, "reason": unknown_reason(step)})
    facts = {
        "workflow_type": type,
        "source": source,
        "definition": digest_of(definition.raw),
        "workspace": workspace.name,
        "parameters": secrets.hide_parameters(given["parameters"]),
        "existing": redact(secrets.values.hide(existing)) if given["existing"] else given["existing"],
        "waves": waves,
        "unknown": unknown,
        "price": total([price for wave in waves for step in wave for price in prices_of(step)]),
        "permissions": ["workflow_submit", *required_permissions(definition, finder(workspace))],
    }
    return {**secrets.values.hide(facts), "fingerprint": fingerprint_of(given)}


def fingerprint_of(given: Mapping[str, Any]) -> str:
    """Return an HMAC-SHA-256 of what a workflow is given: the secrets in it count, and cannot be guessed from it."""
    text = orjson.dumps(dict(given), option=orjson.OPT_SORT_KEYS)
    return salted_hmac("workflow.preview", text, algorithm="sha256").hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a step is: its workspace, the types of the workflows around it, and what kinds have answered so far."""

    workspace: Workspace
    path: tuple[str, ...]
    cache: CallCache


def described(name: str, step: StepDefinition, input: dict[str, Any], place: Place, hidden: HiddenValues) -> Facts:
    """Return what a step would do, secrets hidden: a sentence, its input, its price, and what would refuse it.

    Of a step that runs a workflow, `inside` is what that would do.
    """
    shown = hidden.hide(input)
    facts: Facts = {"step": name, "uses": step.uses, "needs": list(step.needs), "change": "", "price": None}
    facts |= {"input": redact(shown), "refused": None}
    kind = usable(step.uses)
    try:
        given = {"workspace": place.workspace.name, **checked(kind, input)}
        facts["change"] = kind.describe(**given) if kind.describe else sentence(kind.title, shown)
        facts["price"] = place.cache.call(kind.price, given) if kind.price else None
        if step.uses == RUN:
            facts["inside"] = facts_inside(given, place, hidden)
            facts["refused"] = next(refused_in(facts["inside"]), None)
    except DomainError as refusal:
        facts["change"] = facts["change"] or sentence(kind.title, shown)
        if refusal.code not in step.tolerate:
            facts["refused"] = refusal.text
    return hidden.hide(facts)


def facts_inside(input: Mapping[str, Any], place: Place, hidden: HiddenValues) -> Facts:
    """Return what a workflow inside another would do. Raises what `inside` does, and BadStepInput."""
    found, given = inside(input, place.workspace, place.path)
    about = {"source": found.source, "definition": digest_of(found.definition.raw)}
    if given is None:
        reason = "what it changes is looked at when it begins"
        return {**about, "waves": [], "unknown": [{"step": input["workflow_type"], "reason": reason}], "price": []}
    facts = facts_of(
        type=input["workflow_type"],
        source=found.source,
        definition=found.definition,
        workspace=place.workspace,
        given=given,
        operations=foreseen(found.definition, given),
        secrets=secrets_given(found.definition, given, [hidden.forms]),
        path=place.path,
        cache=place.cache,
    )
    return {**about, **{key: facts[key] for key in ("waves", "unknown", "price")}}


def refused_in(facts: Facts) -> Iterator[str]:
    """Yield what would refuse the steps of a workflow inside another."""
    steps = (step for wave in facts["waves"] for step in wave)
    yield from (f"Step {step['step']} of it: {step['refused']}" for step in steps if step["refused"])


def prices_of(step: Mapping[str, Any]) -> list[dict[str, str] | None]:
    """Return the prices of a step, which are those of the workflow inside it."""
    return step["inside"]["price"] if "inside" in step else [step["price"]]


def sentence(title: str, input: Mapping[str, Any]) -> str:
    """Describe an operation whose kind does not describe itself by its title and the texts in its input."""
    shown = redact({key: value for key, value in input.items() if isinstance(value, str | int | list) and value})
    values = ", ".join(
        f"{key} {value if not isinstance(value, list) else ', '.join(map(str, value))}" for key, value in shown.items()
    )
    return f"{title}{': ' + values if values else ''}."[:500]


def unknown_reason(step: StepDefinition) -> str:
    """Say why a step's operations or their input are not known yet."""
    many = sorted(steps_read(step.for_each))
    if many:
        return f"how many there are depends on the result of {', '.join(many)}, known once that has run"
    read = sorted(steps_read(dict(step.given)) | steps_read(step.when))
    if read:
        return f"it reads the result of {', '.join(read)}, known once that has run"
    return "its condition is not met, or one of its expressions fails"


def levels_of(definition: Definition) -> dict[str, int]:
    """Return the wave in which each step begins at the earliest, from 1."""
    levels: dict[str, int] = {}
    for step in definition.steps:
        levels[step.name] = 1 + max((levels[need] for need in step.needs), default=0)
    return levels


def total(prices: list[dict[str, str] | None]) -> list[dict[str, str]]:
    """Add up prices, one sum a currency (decimal strings)."""
    sums: dict[str, list[Decimal]] = {}
    for price in filter(None, prices):
        hourly, monthly = sums.setdefault(price["currency"], [Decimal(0), Decimal(0)])
        sums[price["currency"]] = [hourly + Decimal(price["hourly"]), monthly + Decimal(price["monthly"])]
    return [{"currency": currency, "hourly": str(a), "monthly": str(b)} for currency, (a, b) in sorted(sums.items())]


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


# ── keeping and comparing ─────────────────────────────────────────────────────────────────────────────────────────────
def record_preview(*, facts: Facts, workspace: Workspace, actor: User | None) -> Operation:
    """Store a preview as a completed operation in check mode, and return that."""
    digest = digest_of(facts)
    now = timezone.now()
    operation = Operation.objects.create(
        kind=RUN,
        workspace=workspace,
        actor=actor,
        check_mode=True,
        params={"workflow_type": facts["workflow_type"], "parameters": facts["parameters"]},
        status=Operation.Status.COMPLETED,
        result={"check_mode": True, "digest": digest, **facts},
        due_at=None,
        started_at=now,
        ended_at=now,
    )
    Preview.objects.create(operation=operation, digest=digest, facts=facts)
    return operation


def refuse_if_changed(*, digest: str, facts: Facts) -> None:
    """Refuse to run what is not exactly what was previewed. Raises UnknownDigest, PlanChanged saying what differs."""
    if digest_of(facts) == digest:
        return
    preview = Preview.objects.filter(digest=digest).order_by("-operation__created_at").first()
    if preview is None:
        raise UnknownDigest(field="digest")
    changes = list(differences(preview.facts, facts))
    more = f", and {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
    raise PlanChanged(what="; ".join(changes[:MAX_CHANGES]) + more)


def differences(old: Facts, new: Facts) -> Iterator[str]:
    """Yield what differs between two previews, in words."""
    for key in ("workflow_type", "workspace", "parameters", "existing", "permissions"):
        yield from changed(key, old[key], new[key])
    if old.get("fingerprint") != new["fingerprint"] and all(old[key] == new[key] for key in ("parameters", "existing")):
        yield "a secret value is another one"
    if (old["definition"], old["source"]) != (new["definition"], new["source"]):
        yield f"the definition is another one ({old['source']}, now {new['source']})"
    yield from changed("price", old["price"], new["price"])
    before, after = steps_in(old), steps_in(new)
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            yield from changes_of(name, before.get(name), after.get(name))


def changes_of(name: str, old: Facts | None, new: Facts | None) -> Iterator[str]:
    """Yield what differs in one step."""
    if old is None or new is None:
        yield f"step {name} is {'new' if old is None else 'no longer there'}"
        return
    for key in ("uses", "needs", "change", "input", "price", "refused", "reason", "inside"):
        yield from changed(f"step {name}: {key}", old.get(key), new.get(key))


def changed(place: str, old: Any, new: Any) -> Iterator[str]:
    """Yield what differs between two values: each key of an object, each item of lists of the same length."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from changed(f"{place}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from changed(f"{place}[{index}]", *pair)
    elif old != new:
        yield f"{place} was {shortened(old)} and is {shortened(new)}"


def steps_in(facts: Facts) -> dict[str, Facts]:
    """Return the steps of a preview by name, those of which little is known included."""
    return {step["step"]: step for wave in [*facts["waves"], facts["unknown"]] for step in wave}


def shortened(value: Any) -> str:
    """Return a value as text, at most 200 characters of it."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 200 else text[:200] + "…"
