"""Submit an operation that holds a server."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.servers.models import Server


def submit_for_server(
    server: Server,
    kind: str,
    *,
    actor: User | None,
    parent: Operation | None = None,
    is_new: bool = False,
    **params: Any,
) -> Operation:
    """Queue an operation on a server, under the time limit and the concurrency limit of its account.

    `params` are added to the server's id and hostname; `is_new` says that the server was made in this transaction, so
    that nothing can hold it yet. Raises TargetBusy.
    """
    return operations.submit(
        kind=kind,
        workspace=server.workspace,
        actor=actor,
        target=server.target,
        target_is_new=is_new,
        params={"server": server.id, "hostname": server.hostname} | params,
        parent=parent,
        time_limit=server.account.time_limit,
        limit_key=server.account.limit_key,
    )
