"""What a run of Ansible is asked to do: roles in order, on which servers, with which variables."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RolePlay:
    """One role on some servers, as one play.

    `taskserv` names the play; the hosts are the group `<taskserv>` of the inventory too. `tasks` are files of the role,
    such as `install` and `verify`, in order. `role_path` is the role's directory. `variables` go to the play;
    `secret_variables` too, and their values are hidden wherever Ansible would show them. `serial` is how many servers
    at a time, all by default. With `stop_at_failure`, one failed server ends the play on all of them.
    `host_variables` maps a server's id to variables of that host.
    """

    taskserv: str
    role_path: str
    tasks: list[str]
    server_ids: list[str]
    variables: dict[str, Any] = field(default_factory=dict)
    secret_variables: dict[str, Any] = field(default_factory=dict, repr=False)
    host_variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    serial: int | None = None
    stop_at_failure: bool = False


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Plays in order. A server on which one fails takes part in none of the later ones.

    In check mode nothing is changed, and the run's `changes` tell what would be.
    """

    plays: list[RolePlay]
    check_mode: bool = False

    @property
    def server_ids(self) -> list[str]:
        """Every server that a play names, once."""
        return list(dict.fromkeys(id for play in self.plays for id in play.server_ids))

    def as_json(self) -> dict[str, Any]:
        """Return plain values; they hold secrets."""
        return asdict(self)


def from_json(given: dict[str, Any]) -> RunRequest:
    """Return the request that plain values stand for."""
    return RunRequest(plays=[RolePlay(**play) for play in given["plays"]], check_mode=given["check_mode"])
