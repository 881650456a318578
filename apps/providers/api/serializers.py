"""The shapes of providers and of what they offer."""

from __future__ import annotations

from rest_framework import serializers


class AccountOut(serializers.Serializer):
    """An account, without where it is reached and with what."""

    name = serializers.CharField()
    workspace = serializers.CharField(source="workspace.name", default=None, allow_null=True)
    enabled = serializers.BooleanField()
    checked_at = serializers.DateTimeField(allow_null=True)
    refreshed_at = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField(source="is_stale")


class ProviderOut(serializers.Serializer):
    """A provider that has a driver, and whether servers can be ordered there."""

    name = serializers.CharField()
    title = serializers.CharField()
    available = serializers.BooleanField()
    problem = serializers.CharField(allow_null=True)
    accounts = AccountOut(many=True)


class PriceOut(serializers.Serializer):
    """A price: decimal numbers as text."""

    currency = serializers.CharField()
    hourly = serializers.CharField()
    monthly = serializers.CharField()


class PlanOut(serializers.Serializer):
    """A size of machine; its prices by zone, those that are not known left out."""

    name = serializers.CharField()
    family = serializers.CharField()
    cpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
    prices = serializers.DictField(child=PriceOut())
    stale = serializers.BooleanField()


class ZoneOut(serializers.Serializer):
    """A place where machines can be made."""

    name = serializers.CharField()
    title = serializers.CharField()
    stale = serializers.BooleanField()


class ImageOut(serializers.Serializer):
    """What a machine can be made from; the first is the default."""

    name = serializers.CharField()
    title = serializers.CharField()
    stale = serializers.BooleanField()
