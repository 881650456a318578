"""The machines."""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from apps.providers.models import Account
from apps.system.models import OrderedJSON, public_id
from apps.workspaces.models import Workspace

SERVER_ID = re.compile(r"srv-[a-z0-9]{1,60}")


def server_id() -> str:
    """Return a new server's id."""
    return public_id("srv")


class ServerQuerySet(models.QuerySet):
    """Servers."""

    def visible_to(self, user: Any) -> ServerQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self


class Server(models.Model):
    """A machine, from the request for it to the proof that nothing is left of it; then the row goes too.

    ::

        pending ──▶ running ◀──▶ stopped
           │           │            │
           ├──▶ failed ┴──▶ deleting┴──▶ (row gone)
           └─(cancelled)──────▲
    """

    class Status(models.TextChoices):
        """What an API client sees."""

        PENDING = "pending"
        RUNNING = "running"
        STOPPED = "stopped"
        FAILED = "failed"
        DELETING = "deleting"

    id = models.CharField(primary_key=True, max_length=64, default=server_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="servers")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="servers")
    hostname = models.CharField(max_length=253)
    provider = models.CharField(max_length=32)
    plan = models.CharField(max_length=64)
    zone = models.CharField(max_length=64)
    tags = OrderedJSON(default=list)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    ip_address = models.GenericIPAddressField(null=True)
    ref = models.CharField(max_length=128, blank=True)
    disks = OrderedJSON(default=list)
    emulated = models.BooleanField(default=False)
    seen_state = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ServerQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ()
        permissions = [
            ("server_read", "Can read servers"),
            ("server_create", "Can create servers"),
            ("server_delete", "Can delete servers"),
        ]
        indexes = [
            models.Index(fields=["created_at", "id"], name="server_created"),
            models.Index(fields=["status", "created_at"], name="server_status"),
        ]
        constraints = [models.UniqueConstraint("workspace", Lower("hostname"), name="one_server_of_a_hostname")]

    def __str__(self) -> str:
        return self.hostname

    @property
    def target(self) -> str:
        """The name under which operations hold it."""
        return f"server:{self.id}"
