"""Saved views: filters, search and order of a list that a user has named."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import QueryDict

from apps.system.errors import Invalid, NotFound
from apps.system.models import SavedView

MAX_VIEWS, LONGEST_NAME, LONGEST_QUERY = 50, 64, 2000
# Parts of a list's address that say where in the list one is, not which rows it has.
PLACES = ("p", "after", "all", "e")


def views_of(user: Any, list_name: str) -> QuerySet[SavedView]:
    """Select a user's views of a list, by name."""
    return SavedView.objects.filter(user=user, list_name=list_name).order_by("name")


@transaction.atomic
def save_view(*, user: Any, list_name: str, name: str, query: str) -> SavedView:
    """Save the query of a list under a name; one of the same name is replaced. Raises Invalid."""
    name, kept = " ".join(name.replace("\0", "").split()), kept_query(query)
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(f"Give the view a name of at most {LONGEST_NAME} characters.")
    if not kept or len(kept) > LONGEST_QUERY:
        raise Invalid("A view needs a filter, a search or an order.")
    others = views_of(user, list_name).exclude(name=name)
    if others.count() >= MAX_VIEWS:
        raise Invalid(f"A list has at most {MAX_VIEWS} views; delete one first.")
    return SavedView.objects.update_or_create(user=user, list_name=list_name, name=name, defaults={"query": kept})[0]


def delete_view(*, user: Any, list_name: str, id: int) -> SavedView:
    """Delete a user's own view. Raises NotFound."""
    view = views_of(user, list_name).filter(pk=id).first()
    if view is None:
        raise NotFound(what="view", id=id)
    SavedView.objects.filter(pk=view.pk).delete()
    return view


def kept_query(query: str) -> str:
    """Return the filters, search and order of a list's query, in one order whatever the order they were given in."""
    given = QueryDict(query)
    kept = QueryDict(mutable=True)
    for key in sorted(given):
        if key not in PLACES and any(given.getlist(key)):
            kept.setlist(key, [value for value in given.getlist(key) if value])
    return kept.urlencode()
