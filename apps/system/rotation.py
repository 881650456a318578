"""Sealing every secret anew with the first of `CREDENTIALS_KEYS`, so that an old key can be taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db.models import Model

from apps.system.vault import Place, SealBroken, is_current, places, sealed_anew

BATCH = 500


@dataclass
class Count:
    """What became of the secrets in one place; `broken` names the rows that no key opens."""

    place: Place
    current: int = 0
    renewed: int = 0
    outdated: int = 0
    changed: int = 0
    broken: list[str] = field(default_factory=list)


def rotate() -> list[Count]:
    """Seal anew what is not sealed with the first key; what is changed meanwhile is left as it was changed to."""
    return [count_in(place, renew=True) for place in places()]


def survey() -> list[Count]:
    """Count what is not sealed with the first key, and name what no key opens; changes nothing."""
    return [count_in(place, renew=False) for place in places()]


def count_in(place: Place, *, renew: bool) -> Count:
    """Go through one place."""
    count = Count(place)
    for key, sealed in rows(place):
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


def rows(place: Place) -> Iterator[tuple[object, str]]:
    """Yield keys and sealed secrets in the order of keys, a batch at a time."""
    filled, last = model_of(place).exclude(**{place.field: ""}).order_by("pk"), None
    while True:
        batch = list((filled if last is None else filled.filter(pk__gt=last)).values_list("pk", place.field)[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        last = batch[-1][0]


def model_of(place: Place):
    """Return all rows of a place's model, whatever its own manager leaves out."""
    model: type[Model] = apps.get_model(place.model)
    return model._base_manager.all()


def name_of(place: Place, key: object) -> str:
    """Name a row for people."""
    row = model_of(place).filter(pk=key).first()
    return f"{place.model} {key} ({row}), {place.field}"
