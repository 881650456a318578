"""Workflows and their steps."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef

from apps.operations.models import Operation
from apps.system.models import OrderedJSON

RUN = "workflow.run"


class WorkflowQuerySet(models.QuerySet):
    """Workflows."""

    def visible_to(self, user: Any) -> WorkflowQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self


class Workflow(models.Model):
    """What an operation of kind `workflow.run` is to do; how far it has come is the operation's to say.

    The definition is kept as it was when the workflow was submitted: a new version of it never changes one under way.
    `existing` is what the workflow that created the target gave out.
    """

    operation = models.OneToOneField(Operation, primary_key=True, on_delete=models.CASCADE, related_name="workflow")
    type = models.CharField(max_length=64)
    effect = models.CharField(max_length=8, blank=True)
    definition = OrderedJSON()
    parameters = OrderedJSON(default=dict)
    existing = OrderedJSON(null=True)
    outputs = OrderedJSON(null=True)

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
        """Select the running steps whose operation has ended, its own undoing included, or is no longer there."""
        return self.filter(status=Step.Status.RUNNING, operation__due_at=None)

    def rolled_unseen(self) -> StepQuerySet:
        """Select the steps whose rollback has ended, or is no longer there."""
        return self.filter(rollback=Step.Rollback.RUNNING, rollback_operation__due_at=None)


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

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["workflow", "position", "index"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["workflow", "name"], name="one_step_of_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.status}"


def without_standing(old: models.QuerySet) -> models.QuerySet:
    """Leave out the workflows, and their steps, that created what was not deleted since: its deletion needs them."""
    completed = Workflow.objects.filter(operation__status=Operation.Status.COMPLETED)
    since = {
        "operation__target": OuterRef("operation__target"),
        "operation__ended_at__gte": OuterRef("operation__ended_at"),
    }
    standing = completed.filter(~Exists(completed.filter(effect="delete", **since)), effect="create").values("pk")
    return old.exclude(pk__in=standing).exclude(parent__in=standing)
