"""Servers, and orphans: machines of this installation that belong to no server."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.db import models
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat, Lower, StrIndex
from django.utils import timezone

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.providers.registry import title_of
from apps.system.models import OrderedJSON, public_id
from apps.system.prefix import TextPatternOps
from apps.workspaces.models import Workspace

HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
SERVER_ID = re.compile(r"srv-[a-z0-9]{1,60}")
ORPHAN_ID = re.compile(r"orp-[a-z0-9]{1,60}")


def server_id() -> str:
    """Return a new server's id."""
    return public_id("srv")


def orphan_id() -> str:
    """Return a new orphan's id."""
    return public_id("orp")


class ServerQuerySet(models.QuerySet):
    """Servers."""

    def visible_to(self, user: Any) -> ServerQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self

    def tagged(self, tag: str) -> ServerQuerySet:
        """Select the servers that carry the tag."""
        return self.alias(place=StrIndex("tags", Value(orjson.dumps(tag).decode()))).filter(place__gt=0)

    def in_full(self) -> ServerQuerySet:
        """Add workspace, account and, as `operation`, the id of the unfinished operation that holds the server."""
        target = Concat(Value("server:"), OuterRef("pk"))
        holder = Operation.objects.unfinished().order_by().filter(target=target).values("id")[:1]
        return self.select_related("workspace", "account").annotate(operation=Subquery(holder))


class Drift(models.TextChoices):
    """How a machine differs from what was done here."""

    STOPPED = "stopped", "stopped outside"
    STARTED = "started", "started outside"
    GONE = "gone", "gone"
    RESIZED = "resized", "resized outside"


class Server(models.Model):
    """A machine, from the request for it to the proof that nothing is left of it; then the row goes too.

    ::

        pending ──▶ running ◀──▶ stopped
           │           │            │
           ├──▶ failed ┴──▶ deleting┴──▶ (row gone)
           └─(cancelled)──────▲

    `plan` is the one that was asked for, `size` the provider's own plan that it came to. `drift` is how the machine was
    last seen to differ from what was done here; `found_at` is when a list showed a machine of a server that knew none,
    as after the restore of an older database. A `protected` server is not deleted; one past `expires_at` is, by an
    operation like any other. `ssh_host_key` is the SSH host key that is accepted; where it comes from, and what
    `ordered_host_key` and `sealed_host_key` are, is said in `apps.servers.services.host_keys`.
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
    account = models.ForeignKey(CloudAccount, on_delete=models.PROTECT, related_name="servers")
    hostname = models.CharField(max_length=253)
    provider = models.CharField(max_length=32)
    plan = models.CharField(max_length=64)
    size = models.CharField(max_length=64, blank=True)
    image = models.CharField(max_length=128, blank=True)
    sealed_user_data = models.TextField(blank=True, editable=False)
    zone = models.CharField(max_length=64)
    tags = OrderedJSON(default=list)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    ip_address = models.GenericIPAddressField(null=True)
    ssh_port = models.PositiveIntegerField(default=22)
    ssh_host_key = models.TextField(blank=True, editable=False)
    ordered_host_key = models.TextField(blank=True, editable=False)
    sealed_host_key = models.TextField(blank=True, editable=False)
    ref = models.CharField(max_length=128, blank=True)
    disks = OrderedJSON(default=list)
    emulated = models.BooleanField(default=False)
    backed = models.BooleanField(default=False)
    seen_state = models.CharField(max_length=16, blank=True)
    ordered_at = models.DateTimeField(null=True)
    found_at = models.DateTimeField(null=True)
    drift = models.CharField(max_length=16, choices=Drift.choices, blank=True)
    drift_note = models.CharField(max_length=255, blank=True)
    drift_seen_at = models.DateTimeField(null=True)
    protected = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
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
            models.Index(TextPatternOps(Lower("hostname")), name="server_hostname"),
            models.Index(fields=["hostname", "created_at"], name="server_by_hostname"),
            models.Index(fields=["workspace", "created_at"], name="server_workspace"),
            models.Index(fields=["provider", "created_at"], name="server_provider"),
            models.Index(fields=["ip_address"], name="server_address"),
            models.Index(fields=["drift", "created_at"], condition=~Q(drift=""), name="server_drift"),
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="server_expires"),
            # The dashboard counts all servers, by these, from the index alone.
            models.Index(
                fields=["workspace", "account", "provider", "status", "drift", "size", "plan", "zone", "expires_at"],
                name="server_groups",
            ),
        ]
        constraints = [models.UniqueConstraint("workspace", Lower("hostname"), name="one_server_of_a_hostname")]

    def __str__(self) -> str:
        return self.hostname

    @property
    def target(self) -> str:
        """The name under which operations hold it."""
        return f"server:{self.id}"

    @property
    def is_without_machine(self) -> bool:
        """Tell whether it failed and has no machine, so that it costs nothing."""
        return self.status == Server.Status.FAILED and (not self.ref or self.drift == Drift.GONE)

    @property
    def provider_title(self) -> str:
        """Its provider's name for people."""
        return title_of(self.provider)


class Orphan(models.Model):
    """A machine at a cloud that has our installation's labels and belongs to no server."""

    id = models.CharField(primary_key=True, max_length=64, default=orphan_id, editable=False)
    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="orphans")
    ref = models.CharField(max_length=128)
    server_id = models.CharField(max_length=64)
    hostname = models.CharField(max_length=253, blank=True)
    plan = models.CharField(max_length=64, blank=True)
    zone = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=16, blank=True)
    found_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["found_at", "id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["account", "ref"], name="one_orphan_of_a_machine")]

    def __str__(self) -> str:
        return self.ref

    @property
    def target(self) -> str:
        """The name under which operations hold it."""
        return f"orphan:{self.id}"


class DeletedServer(models.Model):
    """The hostname that a server had, kept as long as operations are, so that these are found and named by it."""

    id = models.CharField(primary_key=True, max_length=64)
    hostname = models.CharField(max_length=253)
    deleted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(TextPatternOps(Lower("hostname")), name="deleted_server_hostname"),
            models.Index(fields=["deleted_at"], name="deleted_server_deleted"),
        ]

    def __str__(self) -> str:
        return self.hostname
