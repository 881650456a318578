"""Workflows and their steps."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from apps.operations.models import Operation, OperationQuerySet
from apps.system.models import OrderedJSON, public_id
from apps.workspaces.models import Workspace

ROLLBACK, FIRE = "workflow.rollback", "schedule.fire"
SCHEDULE_ID, FREEZE_ID = re.compile(r"sch-[a-z0-9]{1,28}"), re.compile(r"frz-[a-z0-9]{1,28}")


def new_schedule_id() -> str:
    """Return an id for a schedule."""
    return public_id("sch")


def new_freeze_id() -> str:
    """Return an id for a freeze window."""
    return public_id("frz")


class WorkflowQuerySet(models.QuerySet):
    """Workflows."""

    def visible_to(self, user: Any) -> WorkflowQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self


class Workflow(models.Model):
    """What an operation of kind `workflow.run` is to do; how far it has come is the operation's to say.

    The definition is kept as it was when the workflow was submitted: a new version of it never changes one under way.
    `existing` is what the workflow that created the target gave out. `source` tells where the definition comes from.
    `resumes` is the workflow that this one goes on with, after it had failed; `changed_parameters` are those it was
    given instead. A workflow whose work was taken back by hand has `rolled_back_at`.
    """

    operation = models.OneToOneField(Operation, primary_key=True, on_delete=models.CASCADE, related_name="workflow")
    type = models.CharField(max_length=64)
    effect = models.CharField(max_length=8, blank=True)
    definition = OrderedJSON()
    parameters = OrderedJSON(default=dict)
    existing = OrderedJSON(null=True)
    outputs = OrderedJSON(null=True)
    source = models.CharField(max_length=300, blank=True)
    resumes = models.OneToOneField("self", null=True, on_delete=models.SET_NULL, related_name="resumed_by")
    changed_parameters = OrderedJSON(null=True)
    rolled_back_at = models.DateTimeField(null=True)
    freeze_override = models.CharField(max_length=255, blank=True)
    schedule = models.ForeignKey("Schedule", null=True, on_delete=models.SET_NULL, related_name="workflows")

    objects = WorkflowQuerySet.as_manager()

    class Meta:
        ordering = ["operation"]
        default_permissions = ()
        permissions = [
            ("workflow_submit", "Can submit workflows"),
            ("workflow_read", "Can read workflows"),
            ("workflow_cancel", "Can cancel workflows"),
        ]
        indexes = [models.Index(fields=["type"], name="workflow_type")]

    def __str__(self) -> str:
        return f"{self.type} {self.operation_id}"


class StepQuerySet(models.QuerySet):
    """Steps."""

    def ended_unseen(self) -> StepQuerySet:
        """Select the steps whose operation, or whose rollback, has ended unseen.

        It has ended when its own undoing has too, or when it is no longer there.
        """
        runs, rolls = Q(status=Step.Status.RUNNING), Q(rollback=Step.Rollback.RUNNING)
        ended = (runs & Q(operation__due_at=None)) | (rolls & Q(rollback_operation__due_at=None))
        return self.filter(runs | rolls).filter(ended)  # the first is for the database: it then joins few rows


class Step(models.Model):
    """One operation of a workflow, or one that may come to be.

    ::

        waiting ──▶ running ──▶ completed
           │  ▲        ├──────▶ cancelled
           │  └(retry)─┴─▶ failed
           └──▶ skipped, failed, cancelled

    `position` is the place in the definition, `index` the place among the operations of a step that stands for many.
    `inverse` (kind and input) takes back what was made; `rollback` tells how far that has got. `lasting` marks what
    nothing takes back.
    """

    class Status(models.TextChoices):
        """What an API client sees."""

        WAITING = "waiting"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"
        SKIPPED = "skipped"

    class Rollback(models.TextChoices):
        """How far taking it back has got."""

        NONE = ""
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=64)
    position = models.PositiveIntegerField()
    index = models.PositiveIntegerField(default=0)
    uses = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    attempt = models.PositiveSmallIntegerField(default=0)
    input = OrderedJSON(null=True)
    result = OrderedJSON(null=True)
    error = models.TextField(null=True)  # noqa: DJ001 - the API answers null
    operation = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="+")
    stopping = models.BooleanField(default=False)
    inverse = OrderedJSON(null=True)
    lasting = models.BooleanField(default=False)
    rollback = models.CharField(max_length=16, choices=Rollback.choices, default=Rollback.NONE, blank=True)
    rollback_operation = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="+")
    rollback_error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    waiting: str | None = None  # why it waits, set by services.step_view

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["workflow", "position", "index"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["workflow", "name"], name="one_step_of_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.status}"


class WorkflowDefinition(models.Model):
    """One version of a definition that was uploaded; a version never changes, and a run keeps the one it began with.

    A type whose last version is `retired` cannot be submitted any more.
    """

    name = models.SlugField(max_length=64)
    version = models.PositiveIntegerField()
    text = models.TextField()
    retired = models.BooleanField(default=False)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "-version"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="one_definition_of_a_version")]

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


class Preview(models.Model):
    """What a check of a workflow has found; `digest` is the SHA-256 of `facts`, by which it can then be submitted."""

    operation = models.OneToOneField(Operation, primary_key=True, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, db_index=True)
    facts = OrderedJSON()

    class Meta:
        ordering = ["operation"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest


class Schedule(models.Model):
    """A workflow that is submitted again and again, at the times of a cron expression in a time zone.

    `fire` is the operation that waits for `next_at` and then submits the workflow; a paused schedule has neither.
    """

    class Overlap(models.TextChoices):
        """What happens at a time at which the last workflow has not ended."""

        SKIP = "skip"
        QUEUE = "queue"

    id = models.CharField(primary_key=True, max_length=32, default=new_schedule_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="schedules")
    name = models.CharField(max_length=64)
    workflow_type = models.CharField(max_length=64)
    parameters = OrderedJSON(default=dict)
    cron = models.CharField(max_length=128)
    time_zone = models.CharField(max_length=64, default="UTC")
    overlap = models.CharField(max_length=8, choices=Overlap.choices, default=Overlap.SKIP)
    paused = models.BooleanField(default=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    next_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    fire = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="schedules")
    last_workflow = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_schedule_of_a_name")]

    def __str__(self) -> str:
        return self.name


class FreezeWindow(models.Model):
    """A time in which no workflow of a workspace begins."""

    id = models.CharField(primary_key=True, max_length=32, default=new_freeze_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="freeze_windows")
    reason = models.CharField(max_length=255)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["starts_at", "id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="freeze_window_has_length")
        ]

    def __str__(self) -> str:
        return self.reason


def without_standing(old: OperationQuerySet) -> OperationQuerySet:
    """Leave out the workflows, and their steps, that created or changed what was not deleted since: that needs them.

    A workflow that deleted is left out as long as an earlier one that created or changed stays, whatever keeps that:
    without it, what is deleted would count as existing.

    `old` are some operations, whose number bounds what this reads.
    """
    parents = dict(old.order_by().values_list("pk", "parent"))
    keys = {*parents, *parents.values()}
    completed = Workflow.objects.filter(operation__status=Operation.Status.COMPLETED, rolled_back_at=None).order_by()
    changes = completed.filter(effect__in=["create", "change"], pk__in=keys - {None})
    facts = list(changes.values_list("pk", "operation__target", "operation__ended_at"))
    targets = {target for _, target, _ in facts}
    deletions = completed.filter(effect="delete", operation__target__in=targets).values_list("operation__target")
    deleted_at = dict(deletions.annotate(Max("operation__ended_at")))
    standing = [pk for pk, target, ended_at in facts if target not in deleted_at or deleted_at[target] < ended_at]
    return old.exclude(pk__in=standing).exclude(parent__in=standing).exclude(follows_kept(list(parents)))


def follows_kept(going: list[UUID]) -> Q:
    """Select the operations that deleted what an earlier one, which is not among those that go, created or changed."""
    completed = Workflow.objects.filter(operation__status=Operation.Status.COMPLETED, rolled_back_at=None).order_by()
    deletion = completed.filter(pk=OuterRef("pk"), effect="delete")
    earlier = {"operation__target": OuterRef("target"), "operation__ended_at__lt": OuterRef("ended_at")}
    kept = completed.filter(effect__in=["create", "change"], **earlier).exclude(pk__in=going)
    return Q(Exists(deletion), Exists(kept))
