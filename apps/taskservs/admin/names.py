"""Names of taskservs for people, and finding them by these."""

from __future__ import annotations

from collections.abc import Iterable

from apps.operations.admin import register_target_names, register_target_search
from apps.taskservs.admin.search import search
from apps.taskservs.models import Taskserv


def taskserv_names(ids: Iterable[str]) -> dict[str, str]:
    """Return names and hostnames of taskservs by id."""
    rows = Taskserv.objects.filter(pk__in=list(ids)).prefetch_related("servers")
    return {row.pk: full_name(row) for row in rows}


def full_name(row: Taskserv) -> str:
    """Return the name of a taskserv with where it is, the first three servers by name."""
    hosts = sorted(server.hostname for server in row.servers.all())
    more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
    return f"{row.name} on {', '.join(hosts[:3])}{more}" if hosts else row.name


register_target_names("taskserv", taskserv_names, ids="tsk-")
register_target_names("verify", taskserv_names)
register_target_search("taskserv", search)
register_target_search("verify", search)
