"""Listing a workspace's servers in the worker."""

from __future__ import annotations

from apps.operations.handler_api import Context, Done
from apps.servers.services.list_step import listed


def list_servers(context: Context) -> Done:
    """Return the servers that the workspace has now."""
    return Done({"servers": listed(context.operation)})
