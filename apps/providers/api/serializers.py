"""The shapes of providers and of what they offer."""

from __future__ import annotations

from rest_framework import serializers


class AccountOut(serializers.Serializer):
    """An account at a provider, without endpoint and credentials."""

    name = serializers.CharField(help_text="The name of the account.")
    workspace = serializers.CharField(
        source="workspace.name",
        default=None,
        allow_null=True,
        help_text="The only workspace that may use the account; null where all may.",
    )
    enabled = serializers.BooleanField(help_text="Whether new servers may be created at the account.")
    checked_at = serializers.DateTimeField(
        allow_null=True, help_text="When the connection was last tested; null before the first test."
    )
    refreshed_at = serializers.DateTimeField(
        allow_null=True, help_text="When plans, zones and images were last read; null before the first time."
    )
    stale = serializers.BooleanField(source="is_stale")


class ProviderOut(serializers.Serializer):
    """A provider that has a driver, and whether servers can be ordered there."""

    name = serializers.CharField(help_text="What a request gives as `provider`.")
    title = serializers.CharField()
    available = serializers.BooleanField(help_text="Whether servers can be created there now.")
    problem = serializers.CharField(allow_null=True, help_text="Why they cannot; null where they can.")
    accounts = AccountOut(many=True, help_text="The accounts at this provider.")


class PriceOut(serializers.Serializer):
    """A price: decimal numbers as text."""

    currency = serializers.CharField(help_text="The code of the currency, such as `EUR`.")
    hourly = serializers.CharField(help_text="The price of an hour, a decimal number as text.")
    monthly = serializers.CharField(help_text="The price of a month, a decimal number as text.")


class PlanOut(serializers.Serializer):
    """A size of machine; its prices by zone, those that are not known left out."""

    name = serializers.CharField(help_text="What a request gives as `plan`.")
    family = serializers.CharField(help_text="The provider's own group of plans; may be empty.")
    cpus = serializers.IntegerField(help_text="The number of processors.")
    memory_mib = serializers.IntegerField(help_text="The memory, in MiB.")
    disk_gib = serializers.IntegerField(help_text="The disk, in GiB.")
    prices = serializers.DictField(
        child=PriceOut(), help_text="The price in each zone; a zone whose price is not known is left out."
    )
    stale = serializers.BooleanField()


class ZoneOut(serializers.Serializer):
    """A place where machines can be created."""

    name = serializers.CharField(help_text="What a request gives as `zone`.")
    title = serializers.CharField()
    stale = serializers.BooleanField()


class ImageOut(serializers.Serializer):
    """A system that a machine can be created with; the first of a list is the default."""

    name = serializers.CharField(help_text="What a request gives as `image`.")
    title = serializers.CharField()
    stale = serializers.BooleanField()
