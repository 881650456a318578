"""Services of servers: one module for each change."""

from __future__ import annotations

from apps.servers.services.create import create_server
from apps.servers.services.delete import delete_server

__all__ = ["create_server", "delete_server"]
