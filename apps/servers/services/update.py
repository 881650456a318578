"""Changing what a server's row alone says: its protection and its expiry."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.servers.errors import LeavingAlready
from apps.servers.models import Server
from apps.servers.services.create_options import refuse_past
from apps.servers.services.locking import locked_server


class Unchanged:
    """Stands for an argument that was not given."""


UNCHANGED = Unchanged()


@transaction.atomic
def change_server(
    *,
    server_id: str,
    protected: bool | Unchanged = UNCHANGED,
    expires_at: datetime | None | Unchanged = UNCHANGED,
) -> Server:
    """Set or lift a server's protection, set or lift its expiry; what is not given stays.

    Raises NotFound, ExpiryPassed, LeavingAlready.
    """
    server = locked_server(server_id)
    if isinstance(protected, Unchanged) and isinstance(expires_at, Unchanged):
        return server
    if server.status == Server.Status.DELETING:
        raise LeavingAlready(hostname=server.hostname)
    if not isinstance(expires_at, Unchanged) and expires_at != server.expires_at:
        refuse_past(expires_at)
        server.expires_at = expires_at
    if not isinstance(protected, Unchanged):
        server.protected = protected
    server.save(update_fields=["protected", "expires_at"])
    return server
