"""What a service refused, in words for people: apps above replace the ids in it by names."""

from __future__ import annotations

from collections.abc import Callable

from apps.system.errors import DomainError

_wordings: list[Callable[[str], str]] = []


def register_wording(replace: Callable[[str], str]) -> None:
    """Add a function that replaces ids in a text by names."""
    _wordings.append(replace)


def in_words(text: str) -> str:
    """Return a text for people."""
    for replace in _wordings:
        text = replace(text)
    return text


def refusal_text(refusal: DomainError) -> str:
    """Return what a service refused, and why."""
    return in_words(refusal.text)


def detail_texts(refusal: DomainError) -> list[tuple[str, str]]:
    """Return the field and the text of each detail of a refusal."""
    return [
        (field, in_words(str(text)))
        for field, texts in (refusal.details or {}).items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]
