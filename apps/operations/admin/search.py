"""Search in the admin: operations by the beginning of their id or target, or by the name of what they change."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

import apps.system.prefix  # noqa: F401 - registers the lookup `prefix`
from apps.operations.admin.parts import target_prefixes
from apps.operations.models import Operation
from apps.workspaces.models import Workspace

MAX_FOUND, MAX_WORKSPACES, MAX_TARGETS = 1000, 100, 200
BEGINNING_OF_ID = re.compile(r"[0-9a-f]{4,32}", re.ASCII)
HELP = "Id, hostname, address or tag"

# What finds the keys of targets by a term that people type: the apps above give it for the prefix of their targets.
Finder = Callable[[str], QuerySet[Any, str]]
_finders: list[tuple[str, Finder]] = []


def register_target_search(prefix: str, finder: Finder) -> None:
    """Add a function that finds keys of the targets with a prefix by name."""
    _finders.append((prefix, finder))


def search(term: str) -> QuerySet:
    """Return the keys of at most `MAX_FOUND` operations whose id or target begins with the term, or is found by it.

    A target may be named without what stands before its own name: `server:`, or `workspace:production/`. Of what the
    apps above find by name, the first `MAX_TARGETS` count.
    """
    names = Workspace.objects.order_by("name").values_list("name", flat=True)[:MAX_WORKSPACES]
    heads = ["", *(f"{prefix}:" for prefix in target_prefixes()), *(f"workspace:{name}/" for name in names)]
    found = Q()
    for head in heads:
        found |= Q(target__prefix=head + term)
    targets = [f"{prefix}:{key}" for prefix, finder in _finders for key in finder(term)[:MAX_TARGETS]]
    found |= Q(target__in=targets)
    digits = term.replace("-", "").lower()
    if BEGINNING_OF_ID.fullmatch(digits):
        found |= Q(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
    return Operation.objects.filter(found).order_by().values("pk")[:MAX_FOUND]
