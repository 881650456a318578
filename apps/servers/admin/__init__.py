"""Servers in the admin: what there is, and everything that can be done with it."""

from apps.servers.admin.orphans import OrphanAdmin
from apps.servers.admin.servers import ServerAdmin, server_tables

__all__ = ["OrphanAdmin", "ServerAdmin", "server_tables"]
