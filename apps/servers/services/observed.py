"""Store on a server's row what the cloud shows of its machine."""

from __future__ import annotations

from typing import Any

from apps.servers.models import Server


def store_machine(server: Server, **facts: Any) -> None:
    """Store what the cloud shows of the machine, as soon as it is known: `ref`, `ip_address`, `disks`, `emulated`."""
    Server.objects.filter(pk=server.pk).update(**facts)


def set_observed_status(server: Server, status: str) -> None:
    """Set the status that the cloud shows, after a deletion was cancelled on the way."""
    Server.objects.filter(pk=server.pk).update(status=status)
