"""Search in the admin: taskservs by id, name in the catalog, or the servers that they are on."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from apps.servers.admin.search import search as search_servers
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.models import Installation, Taskserv


def search(term: str) -> QuerySet[Any, str]:
    """Return the keys of the taskservs with that id, with the term in their name, or on servers found by it."""
    names = [name for name in load_catalog() if term.lower() in name]
    on_servers = Installation.objects.filter(server__in=search_servers(term)).order_by().values("taskserv")
    found = Q(pk=term) | Q(name__in=names) | Q(pk__in=on_servers)
    return Taskserv.objects.filter(found).order_by().values_list("pk", flat=True)
