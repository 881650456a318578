"""The machines as other tools want to see them: those that have an address, with what they are grouped by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from django.db.models import QuerySet

from apps.servers import registry
from apps.servers.models import Server


@dataclass(frozen=True, kw_only=True)
class Host:
    """A server that has an address; `groups` maps what apps above group by, such as `taskserv`, to names in order."""

    id: str
    hostname: str
    workspace: str
    account: str
    provider: str
    plan: str
    zone: str
    tags: list[str]
    status: str
    address: str
    ssh_port: int
    emulated: bool
    backed: bool
    groups: dict[str, list[str]] = field(default_factory=dict)

    @property
    def qualified(self) -> str:
        """The name that no other server has: a workspace's name holds no dot, a host name is unique in it."""
        return f"{self.workspace}.{self.hostname}"

    @property
    def is_unreal(self) -> bool:
        """Tell whether it is only simulated."""
        return self.emulated and not self.backed


COLUMNS = {"workspace": "workspace__name", "account": "account__name", "address": "ip_address"}
FIELDS = [each.name for each in fields(Host) if each.name != "groups"]


def hosts(servers: QuerySet[Server]) -> list[Host]:
    """Return the servers that have an address, ordered by workspace and host name: a query, and one a grouping."""
    reachable = servers.exclude(ip_address=None)
    groupings = registry.groupings()
    groups: defaultdict[str, dict[str, list[str]]] = defaultdict(lambda: {kind: [] for kind in groupings})
    for kind, pairs in groupings.items():
        for server_id, name in sorted(set(pairs(reachable))):
            groups[server_id][kind].append(name)
    rows = reachable.order_by("workspace__name", "hostname").values_list(*(COLUMNS.get(name, name) for name in FIELDS))
    return [Host(**dict(zip(FIELDS, row, strict=True)), groups=groups[row[0]]) for row in rows]


def names_of(host: Host) -> Iterator[tuple[str, str]]:
    """Yield everything that a host is grouped by, as pairs of kind and name."""
    for kind in ("workspace", "provider", "zone", "plan", "status"):
        yield kind, getattr(host, kind)
    for tag in host.tags:
        yield "tag", tag
    for kind, names in host.groups.items():
        for name in names:
            yield kind, name
