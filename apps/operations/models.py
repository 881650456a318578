"""Operations, their log, worker nodes and concurrency limits."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.system.models import OrderedJSON
from apps.workspaces.models import Workspace

WHOLE_RESULT = "whole_result"  # key of an operation's state


class OperationQuerySet(models.QuerySet):
    """Operations."""

    def visible_to(self, user: Any) -> OperationQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self

    def unfinished(self) -> OperationQuerySet:
        """Select those with work left, the undoing of cancelled ones included."""
        return self.filter(due_at__isnull=False)

    def owned_by(self, lease: Any) -> OperationQuerySet:
        """Select the operation if the lease still holds it: what every write of a worker goes through."""
        return self.filter(pk=lease.operation_id, fence=lease.fence, due_at__isnull=False).exclude(lease_owner="")


class Operation(models.Model):
    """One change, from its request to its outcome.

    ::

        pending ──▶ running ──▶ completed
           │           ├──────▶ failed
           └───────────┴──────▶ cancelled

    `due_at` is the whole queue. It is null exactly when nothing is left to do; otherwise it says when a worker may
    take the operation: at once, after a wait or a pause before a retry, or, while a worker holds it, when that worker's
    lease runs out. `lease_owner` names the holder. `fence` grows with each claim and each cancellation, and every write
    of a worker names the fence of its lease: one that has lost the lease changes nothing. A cancelled operation with
    something left to undo is `cancelled` with a `due_at`. `requested_from` is the client's address of the request that
    asked for it; null where none did, as for a workflow's steps.
    """

    class Status(models.TextChoices):
        """What an API client sees."""

        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=64)
    # Each change of state writes all indexes, so there is none without a query that needs it.
    workspace = models.ForeignKey(
        Workspace, null=True, on_delete=models.PROTECT, related_name="operations", db_index=False
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    requested_from = models.GenericIPAddressField(null=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children", db_index=False)
    target = models.CharField(max_length=128, blank=True)
    limit_key = models.CharField(max_length=128, blank=True)
    check_mode = models.BooleanField(default=False)
    params = OrderedJSON(default=dict)

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    result = OrderedJSON(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(null=True)  # noqa: DJ001 - the API answers null

    due_at = models.DateTimeField(null=True, default=timezone.now)
    lease_owner = models.CharField(max_length=128, blank=True)
    fence = models.BigIntegerField(default=0)
    state = OrderedJSON(default=dict)
    status_message = models.CharField(max_length=255, blank=True)
    wake_requested = models.BooleanField(default=False)
    cancel_requested_at = models.DateTimeField(null=True)
    crash_count = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    time_limit = models.FloatField(default=1800)
    deadline_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ()
        permissions = [
            ("operation_read", "Can read operations"),
            ("operation_cancel", "Can cancel operations"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="operation_due"),
            models.Index(fields=["workspace", "due_at"], condition=Q(due_at__isnull=False), name="operation_turn"),
            models.Index(
                fields=["workspace", "due_at"],
                condition=Q(due_at__isnull=False, status="running"),
                name="operation_begun",
            ),
            models.Index(
                fields=["limit_key"], condition=Q(due_at__isnull=False) & ~Q(limit_key=""), name="operation_limit_key"
            ),
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="operation_parent"),
            models.Index(fields=["created_at", "id"], name="operation_created"),
            # These hold the filters too: rows that one of them leaves out are not read.
            models.Index(fields=["updated_at", "kind", "status", "workspace", "check_mode"], name="operation_updated"),
            models.Index(fields=["workspace", "created_at", "kind", "status"], name="operation_workspace"),
            models.Index(fields=["status", "created_at", "kind", "workspace"], name="operation_status"),
            models.Index(
                fields=["kind", "created_at", "status", "workspace", "check_mode", "updated_at"], name="operation_kind"
            ),
            models.Index(
                fields=["kind", "created_at", "status", "workspace"],
                condition=Q(status="failed"),
                name="operation_failed",
            ),
            # On PostgreSQL, only this operator class serves a search by prefix, whatever the database's collation.
            models.Index(
                fields=["target", "created_at"],
                opclasses=["varchar_pattern_ops", "timestamptz_ops"],
                name="operation_target",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(due_at__isnull=False) & ~Q(target=""),
                name="one_unfinished_operation_per_target",
            ),
            models.CheckConstraint(
                condition=Q(due_at__isnull=False) | Q(status__in=["completed", "failed", "cancelled"]),
                name="unfinished_operation_is_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def whole_result(self) -> dict[str, Any] | None:
        """The result with the secrets that `result` hides; shown to nobody."""
        return self.state.get(WHOLE_RESULT, self.result)

    def state_with_whole(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return the state with a result that `whole_result` is to give."""
        return {**self.state, WHOLE_RESULT: result}

    @property
    def completed_result(self) -> dict[str, Any]:
        """The result of a completed operation. Raises ValueError for any other."""
        if self.result is None:
            raise ValueError(f"operation {self.pk} is {self.status} and has no result")
        return self.result

    @property
    def has_ended(self) -> bool:
        """Tell whether the outcome is known."""
        return self.status in ENDED

    @property
    def is_undoing(self) -> bool:
        """Tell whether it is cancelled with something left to undo."""
        return self.status == self.Status.CANCELLED and self.due_at is not None


ENDED = (Operation.Status.COMPLETED, Operation.Status.FAILED, Operation.Status.CANCELLED)


class Event(models.Model):
    """One numbered line of an operation's log; there is no other log."""

    class Level(models.TextChoices):
        """How much it matters."""

        DEBUG = "debug"
        INFO = "info"
        WARNING = "warning"
        ERROR = "error"

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    message = models.TextField()
    data = OrderedJSON(default=dict)

    class Meta:
        ordering = ["operation", "seq"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["id"], condition=Q(level=level), name=f"event_{level}")
            for level in ("debug", "warning", "error")
        ]
        constraints = [models.UniqueConstraint(fields=["operation", "seq"], name="event_number")]

    def __str__(self) -> str:
        return f"{self.seq} {self.message[:60]}"


class WorkerNode(models.Model):
    """A running worker, one django-q2 cluster with its processes; it is dead when its row is no longer renewed.

    `clock_at` is what its own clock showed at `seen_at`, which the database's clock tells. `kinds` names the kinds of
    operation that it can run, separated by blanks. Nodes of a version that does not know a column leave it empty.
    """

    name = models.CharField(primary_key=True, max_length=128)
    workers = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    clock_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=32, blank=True, default="", db_default="")
    kinds = models.TextField(blank=True, default="", db_default="")

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class ConcurrencyLimit(models.Model):
    """A concurrency limit: so many operations run at once, from their first step to their last.

    The name is `workspace:<name>`, or the operations' `limit_key`, such as `account:<id>`.
    """

    name = models.CharField(primary_key=True, max_length=128)
    max_running = models.PositiveIntegerField()

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.max_running} at once"


class Tally(models.Model):
    """How many operations there were of each kind and status when they were last counted; one row at most.

    `counts` is a list of kind, status and number. `begun_at` is when the next count, or this one, began.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    begun_at = models.DateTimeField()
    counted_at = models.DateTimeField()
    counts = OrderedJSON(default=list)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_tally")]

    def __str__(self) -> str:
        return f"counted at {self.counted_at:%Y-%m-%d %H:%M}"


class DrainMode(models.Model):
    """The drain: no node claims operations while the row exists."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    since = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=255, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_drain")]

    def __str__(self) -> str:
        return f"draining since {self.since:%Y-%m-%d %H:%M}"
