"""What a server costs, what it is made of, and how to log in, in words."""

from __future__ import annotations

from collections.abc import Iterable

from apps.providers.admin.prices import money, parts_of
from apps.providers.models import Plan
from apps.servers.models import Server


def read_plans(servers: Iterable[Server]) -> None:
    """Give each server the plan that it came to, in one query for all."""
    rows = list(servers)
    plans = Plan.objects.filter(
        account__in={row.account_id for row in rows}, name__in={row.size or row.plan for row in rows}
    )
    known = {(plan.account_id, plan.name): plan for plan in plans}
    for row in rows:
        row.known_plan = known.get((row.account_id, row.size or row.plan))  # type: ignore[attr-defined]


def plan_of(server: Server) -> Plan | None:
    """Return the plan that a server came to, None where it is not known."""
    if not hasattr(server, "known_plan"):
        read_plans([server])
    return server.known_plan  # type: ignore[attr-defined]


def price_text(server: Server) -> str:
    """Say what a server costs a month."""
    if server.is_without_machine:
        return "none, no machine"
    plan = plan_of(server)
    return money(plan.price_in(server.zone)) if plan else "-"


def size_text(server: Server) -> str:
    """Say what plan a server has, and what that is."""
    plan = plan_of(server)
    own = f" ({server.size})" if server.size and server.size != server.plan else ""
    return f"{server.plan}{own}{f': {parts_of(plan)}' if plan else ''}"


def ssh_command(server: Server) -> str:
    """Return the command that logs in as root, with the host key kept under the server's id."""
    port = f" -p {server.ssh_port}" if server.ssh_port != 22 else ""
    return f"ssh{port} -o HostKeyAlias={server.id} root@{server.ip_address}"
