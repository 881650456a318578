"""The services installed on servers."""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils import timezone

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

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
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
    """A service of the catalogue on one or more servers; the row goes when it is removed from all of them.

    ::

        pending ──▶ running ──▶ deleting ──▶ (row gone)
           │           │         ▲ │ ▲
           ├──▶ failed ┼─────────┘ │ │
           │       ▲   └──(cancelled before it began: back)
           │       └── (removal failed or was cancelled on the way)
           ├──(cancelled on the way)─┘
           └──(cancelled before it began)──▶ (row gone)
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

    `begun_at` is when the installer first touched the server for it; while null, there is nothing of it to remove.
    A server that is gone has nothing installed, so the row goes with the server's.
    """

    taskserv = models.ForeignKey(Taskserv, on_delete=models.CASCADE, related_name="installations")
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="installations")
    begun_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["taskserv", "server"], name="one_installation_on_a_server")]

    def __str__(self) -> str:
        return f"{self.taskserv_id} on {self.server_id}"
