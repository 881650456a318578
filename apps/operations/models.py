"""Operations: every change, its state, its queue and its log in two tables."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.system.models import OrderedJSON
from apps.workspaces.models import Workspace


class OperationQuerySet(models.QuerySet):
    """Operations."""

    def visible_to(self, user: Any) -> OperationQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self

    def unfinished(self) -> OperationQuerySet:
        """Select those with work left, the undoing of cancelled ones included."""
        return self.filter(due_at__isnull=False)

    def held_by(self, lease: Any) -> OperationQuerySet:
        """Select the operation if the lease still holds it: what every write of a worker goes through."""
        return self.filter(pk=lease.operation_id, fence=lease.fence, due_at__isnull=False).exclude(lease_owner="")


class Operation(models.Model):
    """One change, from the request that asked for it to the state that is true.

    ::

        pending ──▶ running ──▶ completed
           │           ├──────▶ failed
           └───────────┴──────▶ cancelled

    `due_at` is the whole queue. It is null exactly when nothing is left to do; otherwise it says when a worker may
    take the operation: at once, after a wait or a pause before a retry, or, while a worker holds it, when that worker's
    lease runs out. `lease_owner` names the holder. `fence` grows with each claim and each cancellation, and every write
    of a worker names the fence it was given: one that lost its lease changes nothing. A cancelled operation that still
    has something to undo is `cancelled` with a `due_at`.
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
    # Each change of state writes each index anew: there are no more of them than are asked for.
    workspace = models.ForeignKey(
        Workspace, null=True, on_delete=models.PROTECT, related_name="operations", db_index=False
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children", db_index=False)
    target = models.CharField(max_length=128, blank=True)
    lane = models.CharField(max_length=128, blank=True)
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
    note = models.CharField(max_length=255, blank=True)
    woken = models.BooleanField(default=False)
    cancel_asked_at = models.DateTimeField(null=True)
    crashes = models.PositiveSmallIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
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
            models.Index(fields=["lane"], condition=Q(due_at__isnull=False) & ~Q(lane=""), name="operation_lane"),
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="operation_parent"),
            models.Index(fields=["created_at", "id"], name="operation_created"),
            models.Index(fields=["workspace", "created_at"], name="operation_workspace"),
            models.Index(fields=["status", "created_at"], name="operation_status"),
            models.Index(fields=["target", "created_at"], name="operation_target"),
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

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    message = models.TextField()
    data = OrderedJSON(default=dict)

    class Meta:
        ordering = ["operation", "seq"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["operation", "seq"], name="event_number")]

    def __str__(self) -> str:
        return f"{self.seq} {self.message[:60]}"


class Node(models.Model):
    """A running worker: one django-q2 cluster with its processes; a row that is not renewed is one that is gone.

    `clock_at` is what its own clock showed at `seen_at`, which the database's clock tells.
    """

    name = models.CharField(primary_key=True, max_length=128)
    workers = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    clock_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Lane(models.Model):
    """A cap: at most so many operations of this name run at once, from their first step to their last.

    The name is `workspace:<name>`, or what the service that submits calls its lane, such as `account:<id>`.
    """

    name = models.CharField(primary_key=True, max_length=128)
    most = models.PositiveIntegerField()

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.most} at once"


class Drain(models.Model):
    """The switch that stops claiming everywhere: it is on while the row is there."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    since = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=255, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_drain")]

    def __str__(self) -> str:
        return f"draining since {self.since:%Y-%m-%d %H:%M}"
