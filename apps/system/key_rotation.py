"""Sealing every secret anew with the first of `CREDENTIALS_KEYS`, so that an old key can be taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db.models import Model, QuerySet

from apps.system.encryption import SealBroken, SecretField, is_current, sealed_anew, secret_fields

BATCH = 500


@dataclass
class Count:
    """What became of the secrets in one place; `broken` names the rows that no key opens."""

    place: SecretField
    current: int = 0
    renewed: int = 0
    outdated: int = 0
    changed: int = 0
    broken: list[str] = field(default_factory=list)


def rotate(on_row: Callable[[], object] = lambda: None) -> list[Count]:
    """Seal anew what is not sealed with the first key; what is changed meanwhile is left as it was changed to.

    `on_row` is called after each secret.
    """
    return [count_in(place, renew=True, on_row=on_row) for place in secret_fields()]


def survey() -> list[Count]:
    """Count what is not sealed with the first key, and name what no key opens; changes nothing."""
    return [count_in(place, renew=False) for place in secret_fields()]


def secrets() -> int:
    """Return how many secrets there are."""
    return sum(filled(place).count() for place in secret_fields())


def count_in(place: SecretField, *, renew: bool, on_row: Callable[[], object] = lambda: None) -> Count:
    """Go through one place."""
    count = Count(place)
    for key, sealed in rows(place):
        on_row()
        if is_current(sealed):
            count.current += 1
            continue
        try:
            fresh = sealed_anew(sealed, what=place.model)
        except SealBroken:
            count.broken.append(name_of(place, key))
            continue
        if not renew:
            count.outdated += 1
        elif model_of(place).filter(pk=key, **{place.field: sealed}).update(**{place.field: fresh}):
            count.renewed += 1
        else:
            count.changed += 1
    return count


def rows(place: SecretField) -> Iterator[tuple[object, str]]:
    """Yield keys and sealed secrets in the order of keys, a batch at a time."""
    found, last = filled(place).order_by("pk"), None
    while True:
        batch = list((found if last is None else found.filter(pk__gt=last)).values_list("pk", place.field)[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        last = batch[-1][0]


def filled(place: SecretField) -> QuerySet[Model]:
    """Return a place's rows that have a secret."""
    return model_of(place).exclude(**{place.field: ""})


def model_of(place: SecretField) -> QuerySet[Model]:
    """Return all rows of a place's model, whatever its own manager leaves out."""
    model: type[Model] = apps.get_model(place.model)
    return model._base_manager.all()


def name_of(place: SecretField, key: object) -> str:
    """Name a row for people."""
    row = model_of(place).filter(pk=key).first()
    return f"{place.model} {key} ({row}), {place.field}"
