"""Search in the admin: servers by the beginning of their hostname or id, or by their address or a tag."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

import apps.system.prefix  # noqa: F401 - registers the lookup `prefix`
from apps.servers.models import Server

MAX_FOUND = 1000


def search(term: str) -> QuerySet:
    """Return the keys of at most `MAX_FOUND` servers whose hostname or id begins so, or of that address or tag.

    The case of letters matters for tags only. Tags are looked for in a query of their own: it reads all servers, where
    the one that is returned goes by indexes.
    """
    begin = term.lower()
    tagged = list(Server.objects.tagged(term).order_by().values_list("pk", flat=True)[:MAX_FOUND])
    found = Q(lower_case__prefix=begin) | Q(pk__prefix=begin) | Q(pk__in=tagged)
    with suppress(ValueError):  # it is no address
        found |= Q(ip_address=str(ipaddress.ip_address(term)))
    return Server.objects.alias(lower_case=Lower("hostname")).filter(found).order_by().values("pk")[:MAX_FOUND]
