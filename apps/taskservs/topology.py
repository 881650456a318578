"""What a definition says of clusters: how many servers there may be, and where clients connect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.taskservs.catalog_definition import Definition
from apps.taskservs.errors import WrongNumberOfServers
from apps.taskservs.models import Installation


def refuse_wrong_number(definition: Definition, count: int) -> None:
    """Refuse a number of servers that the taskserv cannot be on. Raises WrongNumberOfServers."""
    if not definition.servers.allows(count):
        raise WrongNumberOfServers(
            name=definition.name, allowed=definition.servers.in_words, given=count, field="servers"
        )


def endpoints_of(
    definition: Definition, config: dict[str, Any], installations: Iterable[Installation]
) -> list[dict[str, Any]]:
    """Return where clients connect: each endpoint on each server whose role has it and that has an address."""
    given = definition.complete(config)
    return [
        {
            "name": endpoint.name,
            "scheme": endpoint.scheme,
            "address": each.server.ip_address,
            "port": endpoint.port_number(given),
            "server": each.server.hostname,
            "role": each.role,
        }
        for endpoint in definition.endpoints
        for each in installations
        if each.server.ip_address and each.role in endpoint.roles
    ]
