"""What the dashboard tells of servers, their price and their accounts."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, F, FilteredRelation, OuterRef, Q, Subquery
from django.utils import timezone

from apps.providers.models import CloudAccount
from apps.providers.registry import title_of
from apps.servers.models import Drift, Orphan, Server
from apps.system.admin import list_of
from provisioning.dashboard.attention import Attention

SOON = timedelta(days=7)
ORDER = [status.value for status in Server.Status]
# Counting takes about half a millisecond for 1,000 servers; so it takes little of the time, however many look at them.
FEW, SERVERS_PER_SECOND, MAX_SECONDS_KEPT = 1000, 10_000, 5


# The groups are those of the index `server_groups`, which holds all that is counted; names come after the counting.
# Only the few that failed are read for whether they have a machine, which is paid for.
GROUPS = "workspace_id, account_id, provider, status, drift, size, plan, zone"
COUNTED = f"{GROUPS}, COUNT(*) AS count, COUNT(CASE WHEN expires_at <= %s THEN 1 END) AS expiring"
WITH_MACHINE = "COUNT(CASE WHEN ref <> '' AND drift <> 'gone' THEN 1 END)"
COUNTS = f"""
SELECT servers.*, workspace.name AS workspace FROM (
    SELECT {COUNTED}, COUNT(*) AS paid FROM servers_server WHERE status <> 'failed' GROUP BY {GROUPS}
    UNION ALL
    SELECT {COUNTED}, {WITH_MACHINE} AS paid FROM servers_server WHERE status = 'failed' GROUP BY {GROUPS}
) AS servers JOIN workspaces_workspace AS workspace ON workspace.id = servers.workspace_id
"""  # noqa: S608 - nothing in it comes from outside


def panels() -> dict[str, Any]:
    """Count servers by state, provider, workspace and price, and read the accounts: two queries at any size."""
    rows = group_counts.read()
    accounts = read_accounts(rows)
    states: Counter[str] = Counter()
    providers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    drift: Counter[str] = Counter()
    for row in rows:
        states[row["status"]] += row["count"]
        providers[row["provider"]][row["status"]] += row["count"]
        if row["drift"]:
            drift[row["drift"]] += row["count"]
    return {
        "servers": {
            "total": sum(states.values()),
            "address": list_of(Server),
            "states": [
                (state, states[state], list_of(Server, status__exact=state)) for state in ORDER if states[state]
            ],
            "providers": [provider_row(name, counts) for name, counts in sorted(providers.items())],
        },
        "drift": drift,
        "expiring": sum(row["expiring"] for row in rows),
        "money": money(rows, prices_of(accounts)),
        "accounts": list({each["id"]: each for each in accounts}.values()),
    }


class GroupCounts:
    """How many servers are alike, kept for a moment in this process where counting so many takes long."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Count all anew."""
        self.kept: list[dict[str, Any]] = []
        self.until = 0.0

    def read(self) -> list[dict[str, Any]]:
        """Count servers, and those that expire soon, in groups of what the panels tell apart; at most one query."""
        if time.monotonic() >= self.until:
            self.kept = count()
            total = sum(row["count"] for row in self.kept)
            self.until = time.monotonic() + seconds_kept(total)
        return self.kept


def seconds_kept(servers: int) -> float:
    """Return for how many seconds a count of so many servers is shown again: not at all where they are few."""
    return min(servers / SERVERS_PER_SECOND, MAX_SECONDS_KEPT) if servers > FEW else 0


def count() -> list[dict[str, Any]]:
    """Count servers in groups; one query."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [connection.ops.adapt_datetimefield_value(timezone.now() + SOON)] * 2)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


group_counts = GroupCounts()


def provider_row(name: str, counts: Counter[str]) -> dict[str, Any]:
    """Return one provider's servers."""
    states = [
        (state, counts[state], list_of(Server, provider=name, status__exact=state)) for state in ORDER if counts[state]
    ]
    return {
        "name": title_of(name),
        "total": sum(counts.values()),
        "address": list_of(Server, provider=name),
        "states": states,
    }


def read_accounts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read all accounts, how many orphans each has, and with each of its plans that a server has; one query."""
    names = {row["size"] or row["plan"] for row in rows}
    strays = Orphan.objects.filter(account=OuterRef("pk")).order_by().values("account").annotate(count=Count("pk"))
    accounts = CloudAccount.objects.annotate(
        strays=Subquery(strays.values("count")), used=FilteredRelation("plans", condition=Q(plans__name__in=names))
    )
    about = ("id", "provider", "name", "enabled", "problem", "strays")
    return list(accounts.values(*about, plan=F("used__name"), prices=F("used__prices")))


def prices_of(accounts: list[dict[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    """Return the prices by zone of the plans that servers have, by account and name."""
    return {(each["id"], each["plan"]): each["prices"] for each in accounts if each["plan"]}


def money(rows: list[dict[str, Any]], prices: dict[tuple[int, str], dict[str, Any]]) -> dict[str, Any]:
    """Add up what servers cost a month, by workspace and currency; those whose price is not known are counted."""
    sums: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    unknown = 0
    for row in (each for each in rows if each["paid"]):
        price = prices.get((row["account_id"], row["size"] or row["plan"]), {}).get(row["zone"])
        if price is None:
            unknown += row["paid"]
            continue
        cents = int(Decimal(price["monthly"]) * 100) * row["paid"]
        sums[row["workspace"], row["workspace_id"]][price["currency"]] += cents
        totals[price["currency"]] += cents
    workspaces = sorted(sums.items(), key=lambda each: -sum(each[1].values()))
    return {
        "total": amounts(totals),
        "workspaces": [
            (name, amounts(each), list_of(Server, workspace__id__exact=key)) for (name, key), each in workspaces[:6]
        ],
        "unknown": unknown,
    }


def amounts(cents: Counter[str]) -> str:
    """Write sums of money, one for each currency."""
    return " + ".join(f"{value / 100:,.2f} {currency}" for currency, value in sorted(cents.items())) or "0"


def attention(shown: dict[str, Any]) -> list[Attention]:
    """Say which servers need somebody."""
    failed = next((count for state, count, _ in shown["servers"]["states"] if state == "failed"), 0)
    found = [Attention("failed", failed, list_of(Server, status__exact="failed"), "error")] if failed else []
    for value, count in sorted(shown["drift"].items()):
        label = Drift(value).label if value in Drift.values else value
        found.append(Attention(f"drifted: {label}", count, list_of(Server, drift__exact=value)))
    if shown["expiring"]:
        verb = "expires" if shown["expiring"] == 1 else "expire"
        found.append(Attention(f"{verb} within 7 days", shown["expiring"], list_of(Server, expiry="week"), "info"))
    return [
        Attention(f"server{'' if one.count == 1 else 's'} {one.text}", one.count, one.address, one.level)
        for one in found
    ]


def of_accounts(accounts: list[dict[str, Any]], *, may_open: bool) -> list[Attention]:
    """Say which accounts do not work, and how many machines belong to no server."""
    strays = sum(account["strays"] or 0 for account in accounts)
    found = [Attention(f"orphaned machine{'' if strays == 1 else 's'}", strays, list_of(Orphan))] if strays else []
    for each in accounts:
        if each["enabled"] and each["problem"]:
            name = CloudAccount(provider=each["provider"], name=each["name"])
            address = list_of(CloudAccount) if may_open else ""
            found.append(Attention(f"{name} does not work: {each['problem']}", 0, address, "error"))
    return found
