"""Secrets in the input of operations: hidden by value in all that is written about them."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from apps.operations import registry
from apps.operations.models import Operation
from apps.system.hidden_values import NOTHING, HiddenValues
from apps.system.redaction import redact_text


def hidden_in(operation: Operation) -> HiddenValues:
    """Return what hides the secrets in an operation's input, and in those of the operations that it is part of."""
    above = hidden_above(operation.parent_id) if operation.parent_id else NOTHING
    kind = registry.kinds().get(operation.kind)
    return above.and_also(kind.secrets(operation)) if kind and kind.secrets else above


@lru_cache(maxsize=64)
def hidden_above(parent_id: UUID) -> HiddenValues:
    """Return what hides the secrets in the input of an operation that has parts, which never changes."""
    return hidden_in(Operation.objects.only("kind", "parent", "params").get(pk=parent_id))


def hidden_text(operation: Operation, text: str) -> str:
    """Return a text as it may be stored with an operation, its secrets hidden before it is cut."""
    return redact_text(hidden_in(operation).hide_text(text))
