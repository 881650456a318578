"""The services installed on servers."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.models import OrderedJSON, public_id
from apps.workspaces.models import Workspace

TASKSERV_ID = re.compile(r"tsk-[a-z0-9]{1,60}")


def taskserv_id() -> str:
    """Return a new taskserv's id."""
    return public_id("tsk")


class JSONArray(Subquery):
    """The column `item` of a query set as one JSON list, in the query set's order."""

    output_field = OrderedJSON()
    template = """(SELECT coalesce(json_agg("item"), '[]')::text FROM (%(subquery)s) AS "items")"""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[str | int, ...]]:
        """Compile for SQLite, which orders an aggregate by what it reads only."""
        template = """(SELECT json_group_array("item") FROM (%(subquery)s) AS "items")"""
        return self.as_sql(compiler, connection, template=template, **context)


class TaskservQuerySet(models.QuerySet):
    """Taskservs."""

    def visible_to(self, user: Any) -> TaskservQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self

    def with_hostnames(self) -> TaskservQuerySet:
        """Annotate `hostnames`: where it is installed, sorted."""
        servers = Server.objects.filter(installations__taskserv=OuterRef("pk")).order_by("hostname")
        return self.annotate(hostnames=JSONArray(servers.values(item=models.F("hostname"))))


class Taskserv(models.Model):
    """A service of the catalog on one or more servers; the row goes when it is removed from all of them.

    ::

        pending ──▶ running ──▶ deleting ──▶ (row gone)
           │           │         ▲ │ ▲
           ├──▶ failed ┼─────────┘ │ │
           │       ▲   └──(cancelled before it began: back)
           │       └── (removal failed or was cancelled on the way)
           ├──(cancelled on the way)─┘
           └──(cancelled before it began)──▶ (row gone)

    `version` and `config` are what is asked for; what each server has is in its installation. While a change of
    them is under way `status` stays, and a change that failed makes it `failed` until the next one succeeds.
    `sealed_secrets` holds the secret options, given or generated; `sealed_previous` what they were before the change
    under way. `health_checks` lets the schedule verify it.
    """

    class Status(models.TextChoices):
        """What an API client sees."""

        PENDING = "pending"
        RUNNING = "running"
        FAILED = "failed"
        DELETING = "deleting"

    id = models.CharField(primary_key=True, max_length=64, default=taskserv_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="taskservs")
    name = models.CharField(max_length=64)
    version = models.CharField(max_length=32)
    config = OrderedJSON(default=dict)
    sealed_secrets = models.TextField(blank=True, editable=False)
    sealed_previous = models.TextField(blank=True, editable=False)
    health_checks = models.BooleanField(default=True)
    servers = models.ManyToManyField(Server, through="Installation", related_name="taskservs")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    created_at = models.DateTimeField(default=timezone.now)

    objects = TaskservQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ()
        permissions = [
            ("taskserv_read", "Can read taskservs"),
            ("taskserv_create", "Can create taskservs"),
            ("taskserv_delete", "Can delete taskservs"),
        ]
        indexes = [
            models.Index(fields=["created_at", "id"], name="taskserv_created"),
            models.Index(fields=["status", "created_at"], name="taskserv_status"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def target(self) -> str:
        """The name under which operations hold it."""
        return f"taskserv:{self.id}"


class Installation(models.Model):
    """A taskserv on one server; a taskserv's first installation is the first server that was named.

    ::

        pending ──▶ installing ──▶ running ──▶ removing ──▶ (row gone)
                        └──▶ failed ──┴───────────▲

    `begun_at` is when the installer first touched the server for it; while null, there is nothing of it to remove.
    `version` is what was last installed there, empty before. `health` is what the last verification found, at
    `verified_at`; on an emulated machine nothing is verified, so it stays unknown. `error` says why it failed or is
    degraded, `drift` how the running configuration differs from the one asked for. `position` is the server's number
    among the members, which stays when others leave. A server that is gone has nothing installed, so the row goes with
    the server's.
    """

    class State(models.TextChoices):
        """How far the installation on this server is."""

        PENDING = "pending"
        INSTALLING = "installing"
        RUNNING = "running"
        FAILED = "failed"
        REMOVING = "removing"

    class Health(models.TextChoices):
        """What the last verification found."""

        UNKNOWN = "unknown"
        HEALTHY = "healthy"
        DEGRADED = "degraded"
        UNREACHABLE = "unreachable"

    taskserv = models.ForeignKey(Taskserv, on_delete=models.CASCADE, related_name="installations")
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="installations")
    position = models.PositiveIntegerField(default=0)
    role = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    version = models.CharField(max_length=32, blank=True)
    health = models.CharField(max_length=16, choices=Health.choices, default=Health.UNKNOWN)
    verified_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    drift = models.TextField(blank=True)
    begun_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["taskserv", "server"], name="one_installation_on_a_server")]
        indexes = [
            models.Index(fields=["health", "taskserv"], name="installation_health"),
            models.Index(fields=["state", "verified_at"], name="installation_verified"),
        ]

    def __str__(self) -> str:
        return f"{self.taskserv_id} on {self.server_id}"


class AnsibleRun(models.Model):
    """One run of `ansible-playbook` for an operation, from its request to what came of it on each host.

    ::

        queued ──▶ running ──▶ ended     it ran to its end; `hosts` says what came of it
           │          ├──────▶ lost      its runner has gone, or stopped: request a new run
           │          ▼
           └──────▶ stopped              it was asked to stop, and nothing of it runs any more

    A runner holds a run until `lease_until`. `fence` grows with each claim, and every write of a runner names the
    fence it was given. `sealed_request` holds the `RunRequest`, which may have secrets in it; it is emptied at the end.

    `hosts` maps each hostname to `state` (pending, ok, failed, unreachable), counts `ok`, `changed` and `skipped`,
    `task` and `error` (the failed task and the sentence about it), and `plays` (names of the plays it completed).
    `changes`, in check mode, lists `host`, `play`, `task` and `diff`. `error_code` and `error` are about the whole run.
    """

    class State(models.TextChoices):
        """Where a run is."""

        QUEUED = "queued"
        RUNNING = "running"
        ENDED = "ended"
        LOST = "lost"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="ansible_runs")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    sealed_request = models.TextField(blank=True, editable=False)
    check_mode = models.BooleanField(default=False)
    server_ids = OrderedJSON(default=list)
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    hosts = OrderedJSON(default=dict)
    changes = OrderedJSON(default=list)
    exit_code = models.SmallIntegerField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    tasks_done = models.PositiveIntegerField(default=0)
    tasks_total = models.PositiveIntegerField(default=0)
    stop_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=["queued", "running"]), name="ansible_run_live")
        ]

    def __str__(self) -> str:
        return f"Ansible run {self.id}"

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more will come of it."""
        return self.state not in (self.State.QUEUED, self.State.RUNNING)


class CredentialAccess(models.Model):
    """A look at a taskserv's credentials; the record outlives the taskserv and the user."""

    taskserv_id = models.CharField(max_length=64, db_index=True)
    taskserv_name = models.CharField(max_length=64)
    workspace = models.CharField(max_length=63)
    username = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["at", "id"], name="credential_access_at")]

    def __str__(self) -> str:
        return f"{self.username} read the credentials of {self.taskserv_name} ({self.taskserv_id})"
