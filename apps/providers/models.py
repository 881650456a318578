"""Accounts at clouds, and what can be ordered there."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from apps.providers.registry import title_of
from apps.system.models import OrderedJSON
from apps.workspaces.models import Workspace

STALE_AFTER = timedelta(hours=3)
DEFAULT_NAME = "default"


class AccountQuerySet(models.QuerySet):
    """Accounts."""

    def usable_in(self, workspace: Workspace) -> AccountQuerySet:
        """Select the accounts that a workspace may use: its own before those shared by all."""
        return self.filter(Q(workspace=workspace) | Q(workspace=None), enabled=True).order_by(
            models.F("workspace").desc(nulls_last=True), "name"
        )

    def offering(self, plan: str, zone: str) -> AccountQuerySet:
        """Annotate whether plan and zone are in the account's catalog."""
        plans = Plan.objects.filter(account=OuterRef("pk"), name=plan, retired_at=None)
        zones = Zone.objects.filter(account=OuterRef("pk"), name=zone, retired_at=None)
        return self.annotate(has_plan=Exists(plans), has_zone=Exists(zones))


class CloudAccount(models.Model):
    """A provider, where it is reached and with what credentials; for one workspace, or for all when it has none.

    Limits: `max_servers` it may have, `max_monthly_price` they may cost together, in the currency of its prices, and
    `max_creating` that may be on order at the same moment; `time_limit` in seconds for its servers' operations.
    `privileged` lets local machines, which are containers, do all that the host may.
    `problem` is why it last did not work, empty when it did; `checked_at` is when that was seen.

    Its machines are listed by one operation at a time: `reader` under the fence `reader_fence`, while that holds its
    lease. `polled_at` is when the last list ended, `listed_at` when the last complete one began, and before
    `next_list_at` no new one begins.
    """

    provider = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    workspace = models.ForeignKey(Workspace, null=True, blank=True, on_delete=models.PROTECT, related_name="accounts")
    endpoint = models.CharField(max_length=255, blank=True)
    sealed_credentials = models.TextField(editable=False)
    enabled = models.BooleanField(default=True)
    privileged = models.BooleanField(default=False)
    time_limit = models.PositiveIntegerField(null=True, blank=True)
    max_servers = models.PositiveIntegerField(null=True, blank=True)
    max_monthly_price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    max_creating = models.PositiveIntegerField(null=True, blank=True)
    problem = models.TextField(blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    refreshed_at = models.DateTimeField(null=True, editable=False)
    compared_at = models.DateTimeField(null=True, editable=False)
    polled_at = models.DateTimeField(null=True, editable=False)
    listed_at = models.DateTimeField(null=True, editable=False)
    next_list_at = models.DateTimeField(null=True, editable=False)
    reader = models.UUIDField(null=True, editable=False)
    reader_fence = models.BigIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "name"]
        default_permissions = ()
        permissions = [("account_change", "Can change provider accounts and their credentials")]
        constraints = [
            models.UniqueConstraint(fields=["provider", "name", "workspace"], name="one_account_of_a_name"),
            models.UniqueConstraint(
                fields=["provider", "name"], condition=Q(workspace=None), name="one_shared_account_of_a_name"
            ),
        ]

    def __str__(self) -> str:
        """Name it for people: `UpCloud`, or `UpCloud/second` where it is not the default one."""
        title = title_of(self.provider)
        return title if self.name == DEFAULT_NAME else f"{title}/{self.name}"

    @property
    def identifier(self) -> str:
        """Name it for programs."""
        return f"{self.provider}/{self.name}"

    @property
    def is_stale(self) -> bool:
        """Tell whether what is known of its plans and zones is old: readings were missed, or the last one failed."""
        return bool(self.problem) or self.refreshed_at is None or self.refreshed_at < timezone.now() - STALE_AFTER

    @property
    def limit_key(self) -> str:
        """The name under which its operations share a cap."""
        return f"account:{self.pk}"


class Plan(models.Model):
    """A size of machine at an account; memory in MiB, disk in GiB."""

    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="plans")
    name = models.CharField(max_length=64)
    family = models.CharField(max_length=64, blank=True)
    cpus = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    prices = OrderedJSON(default=dict)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["cpus", "memory_mib", "name"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="one_plan_of_a_name")]

    def __str__(self) -> str:
        return self.name

    def price_in(self, zone: str) -> dict[str, str] | None:
        """Return `{"currency", "hourly", "monthly"}` (decimal strings) in a zone, or None where it is not known."""
        return self.prices.get(zone)


class Zone(models.Model):
    """A place at an account where machines can be made."""

    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="zones")
    name = models.CharField(max_length=64)
    title = models.CharField(max_length=128, blank=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="one_zone_of_a_name")]

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """What a machine of the account can be made from; the default one is first."""

    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="images")
    name = models.CharField(max_length=128)
    title = models.CharField(max_length=255, blank=True)
    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "name"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="one_image_of_a_name")]

    def __str__(self) -> str:
        return self.title or self.name
