"""The shapes of taskservs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.system.api.fields import Flag, Input, Object, Text
from apps.taskservs.catalogue import definition_named
from apps.taskservs.configs import checked
from apps.taskservs.models import Taskserv


class TaskservCreate(Input):
    """A taskserv to be installed."""

    workspace = Text()
    name = Text(max_length=64, help_text="A name of the catalogue.")
    servers = serializers.ListField(
        child=Text(max_length=253), allow_empty=False, max_length=500, help_text="Host names."
    )
    config = Object(default=dict, help_text="What the catalogue's `config_schema` allows; `version` picks the version.")
    check_mode = Flag(default=False, help_text="Only list what would be done; nothing is recorded or installed.")

    def validate_servers(self, servers: list[str]) -> list[str]:
        """Refuse a server that is named twice; case does not tell host names apart."""
        keys = [server.lower() for server in servers]
        twice = sorted({server for server in servers if keys.count(server.lower()) > 1})
        if twice:
            raise serializers.ValidationError(f"Name each server once; named twice: {', '.join(twice)[:200]}.")
        return servers


class TaskservDelete(Input):
    """What a deletion may say; everything may be left out."""

    workspace = Text(required=False)
    taskserv_id = Text(required=False)


class TaskservOut(serializers.ModelSerializer):
    """A taskserv."""

    id = serializers.SlugField()
    name = serializers.SlugField()
    servers = serializers.ListField(child=serializers.CharField(), source="hostnames", help_text="Host names, sorted.")

    class Meta:
        model = Taskserv
        fields = ["id", "name", "version", "servers", "status", "created_at"]


class CatalogOut(serializers.Serializer):
    """One entry of the catalogue."""

    name = serializers.CharField()
    title = serializers.CharField()
    category = serializers.CharField()
    versions = serializers.ListField(child=serializers.CharField())
    default_version = serializers.CharField()
    requires = serializers.ListField(child=serializers.CharField(), help_text="Installed first where missing.")
    conflicts = serializers.ListField(child=serializers.CharField(), help_text="Never on the same server.")
    config_schema = serializers.DictField(help_text="The JSON Schema (Draft 2020-12) of `config`.")


def creation(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of an installation, for workflows.

    Raises ValidationError, UnknownTaskserv, UnknownVersion, BadConfig: a workflow is refused before it makes servers.
    """
    serializer = TaskservCreate(data={"workspace": "-", **given})
    serializer.is_valid(raise_exception=True)
    checked(definition_named(serializer.validated_data["name"]), serializer.validated_data["config"])
    return {key: value for key, value in serializer.validated_data.items() if key not in ("workspace", "check_mode")}


def deletion(given: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a removal, for workflows. Raises ValidationError."""
    serializer = TaskservDelete(data=given)
    serializer.fields["taskserv_id"].required = True
    serializer.is_valid(raise_exception=True)
    return {"taskserv_id": serializer.validated_data["taskserv_id"]}
