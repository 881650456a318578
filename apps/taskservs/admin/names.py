"""Names of taskservs for people, and finding them by these."""

from __future__ import annotations

from django.db.models import F

from apps.operations.admin import NamedRows, register_target_names, register_target_search
from apps.taskservs.admin.search import search
from apps.taskservs.models import Taskserv


def full_name(row: Taskserv) -> str:
    """Return the name of a taskserv with where it is."""
    return name_with_hosts(row.name, [server.hostname for server in row.servers.all()])


def name_with_hosts(name: str, hosts: list[str]) -> str:
    """Return a name with where it is, the first three servers by name."""
    more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
    return f"{name} on {', '.join(sorted(hosts)[:3])}{more}" if hosts else name


NAMES = NamedRows(model=Taskserv, name=F("name"), detail=F("servers__hostname"), in_words=name_with_hosts)
register_target_names("taskserv", NAMES, ids="tsk-")
register_target_names("verify", NAMES)
register_target_search("taskserv", search)
register_target_search("verify", search)
