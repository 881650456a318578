"""What the dashboard tells of operations: outcomes over time, what runs, what failed, what waits longest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.utils import timezone

from apps.operations.admin import error_of, message_of, name_all, operation_link, status_badge, took, wait_sentence
from apps.operations.models import DrainMode, Operation, WorkerNode
from apps.operations.worker import nodes
from apps.system.admin import ago, list_of
from apps.workflows.definition import RUN
from apps.workflows.models import Workflow
from apps.workflows.services import awaiting_approval
from provisioning.dashboard.attention import Attention
from provisioning.dashboard.chart import Bar, Chart
from provisioning.dashboard.outcomes import OUTCOMES, Counts, hourly

SHOWN = 6
BACKGROUND = ("catalog.refresh", "account.check", "servers.compare", "schedule.fire")
DAYS = 7
SLICE = "SELECT * FROM ({query}) AS slice_{number}"  # the ORM makes no union of slices on SQLite


def panels() -> dict[str, Any]:
    """Return all of it: three queries, and those that name what is shown."""
    shown = Operation.objects.exclude(kind__in=BACKGROUND)
    at_work = shown.filter(status="running", parent=None).order_by("created_at")
    waiting = shown.filter(status="pending").order_by("created_at")
    since = timezone.now() - timedelta(days=DAYS)
    failed = shown.filter(status="failed", created_at__gt=since, parent=None).order_by("-created_at")
    approvals = awaiting_approval(Operation.objects.filter(kind=RUN, status="running"))
    # Where nothing runs, no workflow waits for an approval: rows that are shown can tell the numbers.
    numbers = {"running_count": at_work, "waiting_count": waiting, "approvals": approvals}
    rows = rows_of([at_work[:SHOWN], waiting[:1], failed[:SHOWN]], numbers)
    name_all(rows)
    lines = {status: [line(row) for row in rows if row.status == status] for status in ("running", "pending", "failed")}
    workers = list(nodes.live().annotate(is_drained=Exists(DrainMode.objects.all())))
    day, week = charts()
    return {
        "running": lines["running"],
        "running_address": list_of(Operation, status__exact="running", parent__isnull=True),
        "waiting": lines["pending"][0] if lines["pending"] else None,
        "waiting_address": list_of(Operation, status__exact="pending"),
        "failures": lines["failed"][::-1],
        "failed_address": list_of(Operation, status__exact="failed", created_at_from=day.bars[0].day),
        **{name: (getattr(rows[0], name) if rows else None) or 0 for name in numbers},
        "workers": {
            "nodes": len(workers),
            "processes": sum(node.workers for node in workers),
            "is_drained": any(node.is_drained for node in workers),
            "address": list_of(WorkerNode),
        },
        "day": day,
        "week": week,
    }


def rows_of(parts: Iterable[QuerySet], numbers: Mapping[str, QuerySet]) -> list[Operation]:
    """Return the operations of several slices, oldest first, each with how many there are of others; one query."""
    queries = [part.values("pk").query.sql_with_params() for part in parts]
    union = " UNION ALL ".join(SLICE.format(query=query, number=number) for number, (query, _) in enumerate(queries))
    keys = RawSQL(union, [value for _, values in queries for value in values])  # noqa: S611 - what the ORM has made
    counts = {name: Subquery(count_of(found)) for name, found in numbers.items()}
    return list(Operation.objects.filter(pk__in=keys).select_related("workspace").annotate(**counts))


def count_of(operations: QuerySet) -> QuerySet:
    """Return a query for the number of operations of one status; it has no row where there are none."""
    return operations.order_by().values("status").annotate(count=Count("pk")).values("count")


def line(row: Operation) -> dict[str, Any]:
    """Return one operation as the dashboard shows it."""
    return {
        "link": operation_link(row),
        "badge": status_badge(row),
        "says": error_of(row).split("\n")[0][:160] or wait_sentence(row) or message_of(row),
        "when": ago(row.ended_at or row.created_at),
        "took": took(row),
        "workspace": row.workspace.name if row.workspace_id and row.workspace else "",
    }


def last_days() -> list[list[datetime]]:
    """Return the hours so far of the last seven days in UTC, today included, by their beginnings."""
    now = timezone.now().astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    hours = [[day + timedelta(hours=number) for number in range(24)] for day in days]
    return [[hour for hour in day if hour <= now] for day in hours]


def charts() -> tuple[Chart, Chart]:
    """Return the last 24 hours, the present one included, and the last days; a bar for each."""
    days = last_days()
    hours = [hour for day in days for hour in day]
    counts = dict(zip(hours, hourly.of(hours), strict=True))
    of_hours = [Bar.of(hour.strftime("%H:00"), str(hour.date()), counts[hour]) for hour in hours[-24:]]
    of_days = [Bar.of(day[0].strftime("%a"), str(day[0].date()), total(counts[hour] for hour in day)) for day in days]
    return Chart("Last 24 hours (UTC)", of_hours), Chart("Last 7 days (UTC)", of_days)


def total(counts: Iterable[Counts]) -> Counts:
    """Add up the counts of hours."""
    added = dict.fromkeys(OUTCOMES, 0)
    for one in counts:
        added = {outcome: added[outcome] + one[outcome] for outcome in OUTCOMES}
    return added


def attention(shown: dict[str, Any]) -> list[Attention]:
    """Say how many workflows wait for an approval."""
    count = shown["approvals"]
    text = "workflow waits for an approval" if count == 1 else "workflows wait for an approval"
    return [Attention(text, count, list_of(Workflow, waiting="approval"))] if count else []
