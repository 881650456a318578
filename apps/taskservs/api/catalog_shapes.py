"""The shapes of the catalog."""

from __future__ import annotations

from rest_framework import serializers


class ServerCountOut(serializers.Serializer):
    """How many servers one taskserv takes."""

    min = serializers.IntegerField(help_text="The smallest number of servers.")
    max = serializers.IntegerField(help_text="The largest number of servers.")
    odd = serializers.BooleanField(help_text="Only odd numbers, for members that elect a leader.")


class EndpointOut(serializers.Serializer):
    """Where clients connect."""

    name = serializers.CharField(help_text="The name of the endpoint.")
    port = serializers.JSONField(help_text="A TCP port, or the key of `config` that holds it.")
    scheme = serializers.CharField(help_text="The scheme of its URL, such as `redis`.")
    roles = serializers.ListField(child=serializers.CharField(), help_text="The roles of the servers that have it.")


class CatalogOut(serializers.Serializer):
    """One entry of the catalog."""

    name = serializers.CharField(help_text="What a request gives as `name`.")
    title = serializers.CharField()
    description = serializers.CharField(help_text="What it is, in a sentence.")
    category = serializers.CharField(help_text="Such as `databases` or `networking`.")
    versions = serializers.ListField(child=serializers.CharField(), help_text="The versions that can be installed.")
    default_version = serializers.CharField(help_text="The version that is installed where `config` names none.")
    requires = serializers.ListField(
        child=serializers.CharField(), help_text="Taskservs that are installed first where they are missing."
    )
    conflicts = serializers.ListField(
        child=serializers.CharField(), help_text="Taskservs that cannot be on the same server."
    )
    systems = serializers.ListField(
        child=serializers.CharField(), help_text="The operating systems that it can be installed on."
    )
    servers = ServerCountOut(help_text="How many servers it can be installed on.")
    roles = serializers.ListField(
        child=serializers.CharField(), help_text="The first server named gets the first role, the others the last."
    )
    endpoints = EndpointOut(many=True, help_text="Where clients will connect.")
    needs = serializers.ListField(
        child=serializers.CharField(),
        help_text="What the machine must allow, such as `mounts`; an unprivileged container may not.",
    )
    secrets = serializers.ListField(
        child=serializers.CharField(), help_text="Keys of `config` that are kept encrypted."
    )
    generated = serializers.DictField(
        child=serializers.IntegerField(), help_text="Keys of `config` made at random when left out, and their lengths."
    )
    fixed = serializers.ListField(
        child=serializers.CharField(), help_text="Keys of `config` that cannot be changed after the creation."
    )
    catalog = serializers.ChoiceField(
        ["built-in", "operator", "workspace"], source="source", help_text="Whose catalog it comes from."
    )
    config_schema = serializers.DictField(help_text="The JSON Schema (Draft 2020-12) of `config`.")
