"""What a workflow, or its rollback, would do, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from apps.operations.admin import kind_phrase, links_of_ids, step_name
from apps.operations.models import Operation


@dataclass(frozen=True)
class Group:
    """Steps that share a fate; each row has what happens or happened, the step's name, the reason and the price."""

    title: str
    rows: list[tuple[SafeString | str, str, str, str]]


def preview_of(operation: Operation) -> dict[str, Any]:
    """Return what a preview says, for its page."""
    facts = operation.result or {}
    refused = [step for wave in facts["waves"] for step in wave if step["refused"]]
    return {
        "waves": facts["waves"],
        "unknown": facts["unknown"],
        "price": together(facts["price"]),
        "digest": facts["digest"],
        "refused": refused,
    }


def preview_of_rollback(operation: Operation) -> dict[str, Any]:
    """Return what a check of a rollback says, for its page: what is taken back, what cannot be, and what stays."""
    facts = operation.result or {}
    links = links_of_ids(facts)

    def row(step: Mapping[str, Any], kind: str) -> tuple[SafeString | str, str, str, str]:
        name = next((links[id] for id in texts(step.get("result")) if id in links), "")
        return kind_phrase(kind, name), step_name(step["step"]), step.get("why", ""), amount(step.get("price"))

    groups = [
        Group("Is taken back, in this order", [row(step, step["by"]) for step in reversed(facts["destroyed"])]),
        Group("Cannot be taken back", [row(step, step["uses"]) for step in facts["impossible"]]),
        Group("Stays as it is", [row(step, step["uses"]) for step in facts["kept"]]),
    ]
    return {"groups": [group for group in groups if group.rows], "price": together(facts["price"])}


def texts(result: Any) -> list[str]:
    """Return the texts of a step's result."""
    return [value for value in result.values() if isinstance(value, str)] if isinstance(result, Mapping) else []


def amount(price: Mapping[str, str] | None) -> str:
    """Write a price a month."""
    return f"{float(price['monthly']):,.2f} {price['currency']}" if price else ""


def together(prices: Iterable[Mapping[str, str]]) -> str:
    """Write sums of several currencies."""
    return " + ".join(map(amount, prices))
