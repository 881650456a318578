"""Worker nodes in the admin: which live, how many of their workers are busy, and with what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.operations.admin.names import give_names, title_of_kind
from apps.operations.admin.parts import operation_link, operations_table
from apps.operations.models import DrainMode, Operation, WorkerNode
from apps.operations.queue.leases import lease_seconds
from apps.operations.worker import nodes
from apps.system.admin import Problem, ReadOnlyAdmin, Table, ago, badge, with_code
from apps.system.doctor_checks import clock_finding

SHOWN_OPERATIONS = 5
DRAINED = "No step is begun on any node; those that run go on to their end."
GO_ON = "To go on, run `manage.py drain --off`."
LOST = "What it had in hand is taken over by other nodes once its leases have run out."
START_AGAIN = "Look at that machine, and start `manage.py worker` there; without that, this entry goes after a day."


def held() -> QuerySet[Operation]:
    """Select the operations that workers have in hand: those whose lease runs, by the index of what is due."""
    soon = Now() + timedelta(seconds=lease_seconds())
    return Operation.objects.filter(due_at__gt=Now(), due_at__lte=soon).exclude(lease_owner="")


@admin.register(WorkerNode)
class WorkerNodeAdmin(ReadOnlyAdmin):
    """Worker nodes."""

    read_permission = "operation_read"
    empty_text = "Nothing is done until a worker runs: start one with manage.py worker."
    list_display = ("name", "state_badge", "busy", "now", "version_text", "started", "heartbeat")
    search_fields = ("name", "version")
    search_help_text = "Part of a name or version"
    ordering = ("name",)
    fieldsets = [
        ("Node", {"fields": ["state_badge", "busy", "version_text", "started", "heartbeat", "clock"]}),
        ("For engineers", {"classes": ["collapse"], "fields": ["name", "kind_titles"]}),
    ]

    def prepare(self, rows: Sequence[WorkerNode]) -> None:
        """Read which of them live, the drain, and what all of them do now."""
        drain, live = DrainMode.objects.first(), set(nodes.live().values_list("pk", flat=True))
        operations: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in held().filter(lease_owner__in=[row.pk for row in rows]).order_by("started_at"):
            operations[operation.lease_owner].append(operation)
        give_names(operation for each in operations.values() for operation in each[:SHOWN_OPERATIONS])
        for row in rows:
            row.drain, row.is_live = drain, row.pk in live  # type: ignore[attr-defined]
            row.operations = operations[row.pk]  # type: ignore[attr-defined]

    def prepared(self, row: WorkerNode) -> Any:
        """Return a row with what it shows beyond its columns."""
        if not hasattr(row, "operations"):
            self.prepare([row])
        return row

    def problems(self, request: HttpRequest, row: WorkerNode) -> list[Problem]:
        """Say that it is lost, or drained."""
        if not self.prepared(row).is_live:
            return [Problem("It has no heartbeat any more", LOST, with_code(START_AGAIN))]
        drain = self.prepared(row).drain
        reason = f"{drain.reason.rstrip('.')}. " if drain and drain.reason else ""
        return (
            [Problem("All nodes are drained", f"{reason}{DRAINED}", with_code(GO_ON), level="warning")] if drain else []
        )

    def is_changing(self, row: WorkerNode, problems: Sequence[Problem]) -> bool:
        """Follow a node that lives."""
        return self.prepared(row).is_live

    def tables(self, request: HttpRequest, row: WorkerNode) -> list[Table]:
        """Show what it does now."""
        mine = held().filter(lease_owner=row.pk)
        return [operations_table(mine, title="What it does now", empty="Nothing at the moment.")]

    @admin.display(description="state")
    def state_badge(self, row: WorkerNode) -> SafeString:
        """Show whether it lives and takes work."""
        if not self.prepared(row).is_live:
            return badge("lost", "error")
        return badge("draining", "warning") if self.prepared(row).drain else badge("working", "up")

    @admin.display(description="busy workers")
    def busy(self, row: WorkerNode) -> str:
        """Show how many of its workers do something."""
        return f"{len(self.prepared(row).operations)} of {row.workers}"

    @admin.display(description="does now")
    def now(self, row: WorkerNode) -> SafeString | str:
        """Show what it does, some of it."""
        operations = self.prepared(row).operations
        shown = [operation_link(operation) for operation in operations[:SHOWN_OPERATIONS]]
        more = len(operations) - len(shown)
        shown += [f"{more} more"] if more > 0 else []
        return format_html_join(", ", "{}", ((each,) for each in shown)) or "-"

    @admin.display(description="version", ordering="version")
    def version_text(self, row: WorkerNode) -> str:
        """Show the version of its program."""
        return row.version or "unknown"

    @admin.display(description="started", ordering="started_at")
    def started(self, row: WorkerNode) -> SafeString | str:
        """Show since when it runs."""
        return ago(row.started_at)

    @admin.display(description="last heartbeat", ordering="seen_at")
    def heartbeat(self, row: WorkerNode) -> SafeString | str:
        """Show when it was seen last."""
        return ago(row.seen_at)

    @admin.display(description="clock")
    def clock(self, row: WorkerNode) -> str:
        """Compare its clock with the database's."""
        if row.clock_at is None:
            return "-"
        return clock_finding("clock", "It", (row.clock_at - row.seen_at).total_seconds()).found

    @admin.display(description="can run")
    def kind_titles(self, row: WorkerNode) -> str:
        """Name what it can do."""
        return ", ".join(sorted(title_of_kind(kind) for kind in row.kinds.split())) or "-"
