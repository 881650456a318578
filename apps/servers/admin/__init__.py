"""Servers in the admin: what there is, and everything that can be done with it."""

from apps.servers.admin import names  # noqa: F401 - registers what the list of operations shows
from apps.servers.admin.orphans import OrphanAdmin
from apps.servers.admin.servers import ServerAdmin, register_server_link, register_server_table

__all__ = ["OrphanAdmin", "ServerAdmin", "register_server_link", "register_server_table"]
