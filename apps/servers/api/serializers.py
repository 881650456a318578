"""The shapes of servers."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from apps.servers.models import Server
from apps.system.api.fields import Flag, Input, Text

HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=@-]{0,62}")


def check_hostname(name: str) -> None:
    """Hold a name to RFC 1123. Raises ValidationError."""
    if not HOSTNAME.fullmatch(name):
        raise serializers.ValidationError(
            "Give a host name (RFC 1123): letters, digits and inner hyphens, in parts of at most 63 characters."
        )


def check_tag(tag: str) -> None:
    """Hold a tag to what every cloud can store. Raises ValidationError."""
    if not TAG.fullmatch(tag):
        raise serializers.ValidationError("A tag has 1 to 63 letters, digits and . _ : / = @ -, and begins with one.")


class ServerCreate(Input):
    """A server to be made."""

    workspace = Text()
    provider = Text()
    plan = Text()
    hostname = Text(max_length=253, validators=[check_hostname])
    zone = Text()
    check_mode = Flag(default=False, help_text="Only check and price it; nothing is created.")
    tags = serializers.ListField(child=Text(validators=[check_tag]), max_length=20, default=list)

    def validate_tags(self, tags: list[str]) -> list[str]:
        """Drop repetitions, keeping the order."""
        return list(dict.fromkeys(tags))


class ServerDelete(Input):
    """What a deletion may say; everything may be left out."""

    workspace = Text(required=False)
    server_id = Text(required=False)
    force = Flag(
        default=False, help_text="Delete it with its taskservs, and take over from an operation that holds it."
    )


class ServerOut(serializers.ModelSerializer):
    """A server; id and provider are words of ours, which lists need not escape."""

    id = serializers.SlugField()
    provider = serializers.SlugField()

    class Meta:
        model = Server
        fields = ["id", "hostname", "provider", "plan", "zone", "ip_address", "status", "created_at"]


def creation(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of a creation, for workflows. Raises ValidationError."""
    serializer = ServerCreate(data={"workspace": "-", **given})
    serializer.is_valid(raise_exception=True)
    return {key: value for key, value in serializer.validated_data.items() if key not in ("workspace", "check_mode")}


def deletion(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of a deletion, for workflows. Raises ValidationError."""
    serializer = ServerDelete(data=given)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
