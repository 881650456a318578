"""What a step does on the servers: plays, each a few files of one role on some servers, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.servers.models import Server
from apps.taskservs.install_plan import PlanItem


@dataclass(frozen=True, kw_only=True)
class Play:
    """Some files of one role (`stages`) on some servers of the taskserv.

    `serial` is how many servers at a time, all by default. `purge` lets a removal take the data too. `members` are the
    servers that the role knows of, by default the part's own. `primary` is the server that is to have the first
    role from now on, where that changes. `downgrade` allows packages of a lower version.
    """

    part: PlanItem
    stages: tuple[str, ...]
    hosts: list[Server]
    members: list[Server] = field(default_factory=list)
    primary: Server | None = None
    serial: int | None = None
    purge: bool = False
    downgrade: bool = False

    @property
    def installs(self) -> bool:
        """Tell whether the taskserv runs on the hosts when the play is done."""
        return not {"remove", "leave", "demote"} & set(self.stages)


Phase = list[Play]  # plays of one run, all of one taskserv: a server has one role in it


def installing(parts: Iterable[PlanItem]) -> list[Phase]:
    """Return the phases that install parts, one after the other."""
    return [installing_part(part) for part in parts]


def installing_part(part: PlanItem) -> Phase:
    """Return the plays that install one part; servers that have it already are verified with the others."""
    plays = [Play(part=part, stages=part.definition.stages, hosts=part.hosts)]
    rest = [server for server in part.servers if server not in part.hosts]
    return [*plays, Play(part=part, stages=("verify",), hosts=rest)] if rest else plays


def removing(parts: Iterable[PlanItem], *, purge: bool = False) -> list[Phase]:
    """Return the phases that remove parts, one after the other."""
    return [[Play(part=part, stages=("remove",), hosts=part.servers, purge=purge)] for part in parts]
