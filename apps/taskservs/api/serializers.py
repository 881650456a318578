"""The shapes of taskservs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rest_framework import serializers

from apps.system.api.fields import Input, List, StrictBoolean, StrictObject, StrictString
from apps.taskservs.machines import is_unreal
from apps.taskservs.models import Installation, Taskserv


class TaskservCreate(Input):
    """A taskserv to be installed."""

    workspace = StrictString()
    name = StrictString(max_length=64, help_text="The name of the taskserv in the catalog.")
    servers = List(
        child=StrictString(max_length=253),
        allow_empty=False,
        max_length=500,
        help_text="The host names of the servers.",
    )
    config = StrictObject(
        default=dict, help_text="What the catalog's `config_schema` allows; `version` picks the version."
    )
    check_mode = StrictBoolean(
        default=False, help_text="Only list what would be done; nothing is recorded or installed."
    )

    def validate_servers(self, servers: list[str]) -> list[str]:
        """Refuse a server that is named twice; case does not tell host names apart."""
        counts = Counter(server.lower() for server in servers)
        twice = sorted({server for server in servers if counts[server.lower()] > 1})
        if twice:
            raise serializers.ValidationError(f"Name each server once; named twice: {', '.join(twice)[:200]}.")
        return servers


class TaskservDelete(Input):
    """The body of a deletion; it may be left out."""

    workspace = StrictString(required=False)
    taskserv_id = StrictString(required=False)


class TaskservConfigure(Input):
    """A change of a taskserv's options, of its servers, or of both."""

    workspace = StrictString(required=False)
    config = StrictObject(
        required=False, help_text="The options that change; null returns one to its default, others keep their values."
    )
    servers = List(
        child=StrictString(max_length=253),
        required=False,
        max_length=500,
        help_text="Host names of all servers that it is to be on: new ones join, those left out leave.",
    )
    check_mode = StrictBoolean(default=False, help_text="Only list what would be done; nothing is changed.")

    validate_servers = TaskservCreate.validate_servers


class TaskservUpgrade(Input):
    """The installation of another version."""

    workspace = StrictString(required=False)
    version = StrictString(max_length=32, help_text="One of the versions in the catalog.")
    force = StrictBoolean(default=False, help_text="Allow a version lower than the installed one.")
    check_mode = StrictBoolean(default=False, help_text="Only list what would be done; nothing is changed.")


class TaskservVerify(Input):
    """A verification."""

    workspace = StrictString(required=False)


class TaskservChange(Input):
    """What of a taskserv can be set without an operation; what is left out stays."""

    health_checks = StrictBoolean(required=False, help_text="Whether it is verified regularly.")


class TaskservOut(serializers.ModelSerializer):
    """A taskserv."""

    id = serializers.SlugField()
    name = serializers.SlugField(help_text="The name of the taskserv in the catalog.")
    servers = serializers.ListField(child=serializers.CharField(), source="hostnames", help_text="Host names, sorted.")

    class Meta:
        model = Taskserv
        fields = ["id", "name", "version", "servers", "status", "created_at"]


class ServiceEndpointOut(serializers.Serializer):
    """Where clients connect."""

    name = serializers.CharField(help_text="The name of the endpoint.")
    scheme = serializers.CharField(help_text="The scheme of its URL, such as `redis`.")
    address = serializers.CharField(help_text="The IP address.")
    port = serializers.IntegerField(help_text="The TCP port.")
    server = serializers.CharField(help_text="The host name of the server.")
    role = serializers.CharField(help_text="The server's role.")


class InstallationOut(serializers.ModelSerializer):
    """A taskserv on one server."""

    hostname = serializers.CharField(source="server.hostname")
    server_id = serializers.CharField()
    role = serializers.CharField(help_text="The role of the server, such as `primary` or `replica`.")
    version = serializers.CharField(
        allow_null=True, help_text="The version that was last installed there; null before."
    )
    error = serializers.CharField(allow_null=True, help_text="Why it failed, or does not work.")
    drift = serializers.CharField(allow_null=True, help_text="How its configuration differs from the one asked for.")
    verified_at = serializers.DateTimeField(
        allow_null=True, help_text="When the service there was last verified; null before the first time."
    )
    emulated = serializers.SerializerMethodField(help_text="Whether nothing real stands behind the server.")

    class Meta:
        model = Installation
        fields = [
            *("hostname", "server_id", "role", "state", "version", "health"),
            *("verified_at", "error", "drift", "emulated"),
        ]

    def get_emulated(self, row: Installation) -> bool:
        """Tell whether the server is only simulated."""
        return is_unreal(row.server)

    def to_representation(self, row: Installation) -> dict[str, Any]:
        """Show what is empty as null."""
        shown = super().to_representation(row)
        return {**shown, **{key: shown[key] or None for key in ("version", "error", "drift")}}


class TaskservDetail(serializers.ModelSerializer):
    """Everything about a taskserv."""

    id = serializers.SlugField()
    name = serializers.SlugField(help_text="The name of the taskserv in the catalog.")
    servers = serializers.ListField(child=serializers.CharField(), source="hostnames", help_text="Host names, sorted.")
    workspace = serializers.CharField(source="workspace.name")
    config = serializers.DictField(help_text="The options that were given, secret ones left out.")
    health = serializers.ChoiceField(choices=Installation.Health.choices, help_text="The health of its worst server.")
    operation = serializers.CharField(allow_null=True, help_text="The unfinished operation that changes it.")
    endpoints = ServiceEndpointOut(many=True, help_text="Where clients connect.")
    installations = InstallationOut(many=True, source="members", help_text="Its state on each server.")

    class Meta:
        model = Taskserv
        fields = [
            *("id", "name", "version", "servers", "status", "created_at"),
            *("workspace", "config", "health", "health_checks", "operation", "endpoints", "installations"),
        ]


class CredentialsOut(serializers.Serializer):
    """The secret options of a taskserv, given or generated."""

    taskserv_id = serializers.CharField()
    name = serializers.CharField(help_text="The name of the taskserv in the catalog.")
    credentials = serializers.DictField(help_text="The values, by option.")
