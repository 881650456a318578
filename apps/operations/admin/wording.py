"""Messages for people: the ids in errors, refusals and lines of logs replaced by names, where they are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps

from apps.operations.admin.names import UUID_TEXT, give_names, target_name, title_of, title_of_kind
from apps.operations.models import Operation
from apps.system.admin.facts import register_fact_wording
from apps.system.admin.refusals import register_wording
from apps.system.admin.times import exact_times, told_times

NUMBERED = re.compile(rf" \(operation {UUID_TEXT.pattern}\)")
NAMEABLE = re.compile(
    r"POST /v1/[a-z]+/[\w-]+/(?P<verb>[a-z]+)"
    rf"|(?:\b(?:[Oo]peration|[Ww]orkflow) )?(?P<operation>{UUID_TEXT.pattern})"
    r"|(?:\b[a-z]+:)?\b(?P<id>[a-z]{3}-[a-z0-9]{1,60})\b"
)
# What is in the way says enough, without the target that it holds.
HELD = re.compile(rf"(?<!\S)\S+ is held by (operation {UUID_TEXT.pattern})")

# A provider's own code of an error, which the log has.
CODE = re.compile(r" \([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\)")

# One of the operations of a workflow's step, counted from 0.
ONE_OF_STEP = re.compile(r"\b([A-Za-z_]\w*)\[(\d+)\]")

PERMITTED = re.compile(r"\bwith ([a-z]+_[a-z]+)\b")


@cache
def permission_texts() -> dict[str, str]:
    """Return what the documented permissions allow, by their names, such as `cancel workflows`."""
    return {name: text.removeprefix("Can ") for model in apps.get_models() for name, text in model._meta.permissions}


def permitted(text: str) -> str:
    """Write `somebody with workflow_cancel` as `somebody who may cancel workflows`."""
    known = permission_texts()
    return PERMITTED.sub(lambda found: f"who may {known[found[1]]}" if found[1] in known else found[0], text)


def step_name(name: str) -> str:
    """Write `server[0]` as `server 1`, in a name or a text."""
    return ONE_OF_STEP.sub(lambda found: f"{found[1]} {int(found[2]) + 1}", name)


def in_names(texts: Sequence[str], beside: Sequence[Operation] = (), *, targets: bool = False) -> list[str]:
    """Return texts with names for the ids in them, and times as people write them.

    A query for each sort of id, none where there are no ids. The operations `beside` get their names by the same ones,
    and with `targets` as `give_names` says.
    """
    texts = [step_name(exact_times(permitted(HELD.sub(r"\1 is under way", text)))) for text in texts]
    found = [match for text in texts for match in NAMEABLE.finditer(text)]
    keys = {UUID(match["operation"]) for match in found if match["operation"]}
    rows = list(Operation.objects.filter(pk__in=keys)) if keys else []
    ids = give_names([*beside, *rows], targets=targets, ids=[match["id"] for match in found if match["id"]])
    names = {key: name for key, (_, name) in ids.items()}
    names |= {str(row.pk): f"“{title_of(row)}”" for row in rows}

    def named(match: re.Match[str]) -> str:
        if match["verb"]:
            return f"use “{match['verb'].capitalize()}” on its page"
        return names.get(match["id"] or match["operation"], match[0])

    return [NAMEABLE.sub(named, text) for text in texts]


def as_target(text: str, operation: Operation) -> str:
    """Put the name of the target in place of what is taken for its machine's own id."""
    return UUID_TEXT.sub(lambda found: target_name(operation) or found[0], text)


def without_code(error: str) -> str:
    """Leave a provider's own code out of an error."""
    return CODE.sub("", error)


def name_all(operations: Iterable[Operation], *, targets: bool = False) -> None:
    """Give operations their names, and say their errors and messages in names, with a query for each sort of them."""
    rows = list(operations)
    word_all(rows, beside=rows, targets=targets)


def word_all(rows: Sequence[Operation], **naming: Any) -> None:
    """Say the errors and messages of operations in names; `naming` is as in `in_names`."""
    pairs = [
        (without_code(row.error or ""), told_times(NUMBERED.sub("", without_code(row.status_message)))) for row in rows
    ]
    texts = in_names([text for pair in pairs for text in pair], **naming)
    for row, error, message in zip(rows, texts[::2], texts[1::2], strict=True):
        row.error_text, row.message_text = error, message  # type: ignore[attr-defined]


def error_of(operation: Operation) -> str:
    """Return why an operation failed, in names; empty when it has not."""
    if not hasattr(operation, "error_text"):
        word_all([operation])
    return operation.error_text  # type: ignore[attr-defined]


def message_of(operation: Operation) -> str:
    """Return what an operation says it does or waits for, in names."""
    if not hasattr(operation, "message_text"):
        word_all([operation])
    return as_target(operation.message_text, operation)  # type: ignore[attr-defined]


register_wording(lambda text: in_names([text])[0])
register_fact_wording("step", step_name)
register_fact_wording("uses", title_of_kind)
