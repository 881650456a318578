"""The shapes of servers."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.servers.hostnames import RULE, reserved_as
from apps.servers.models import HOSTNAME, Drift, Server
from apps.system.api.fields import EmptyBody, Input, List, MultilineString, StrictBoolean, StrictString, UTCDateTime

MAX_USER_DATA = 16 * 1024
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=@-]{0,62}")


def check_hostname(name: str) -> None:
    """Hold a name to RFC 1123, and keep it from meaning something else. Raises ValidationError."""
    if not HOSTNAME.fullmatch(name):
        raise serializers.ValidationError(
            "Give a host name (RFC 1123): letters, digits and inner hyphens, in parts of at most 63 characters."
        )
    if reason := reserved_as(name):
        raise serializers.ValidationError(f"Give another host name than {name[:60]}: {reason}.")


def check_tag(tag: str) -> None:
    """Hold a tag to what every cloud can store. Raises ValidationError."""
    if not TAG.fullmatch(tag):
        raise serializers.ValidationError("A tag has 1 to 63 letters, digits and . _ : / = @ -, and begins with one.")


class ServerCreate(Input):
    """A server to be created."""

    workspace = StrictString()
    provider = StrictString()
    plan = StrictString(
        help_text="A plan of the provider by its name, or `<n>xCPU-<m>GB`: the cheapest one with at least that size."
    )
    hostname = StrictString(
        max_length=253,
        validators=[check_hostname],
        rule=RULE,
        help_text="A host name that no other server of the workspace has; case does not matter.",
    )
    zone = StrictString()
    check_mode = StrictBoolean(default=False, help_text="Only check and price it; nothing is created.")
    tags = List(
        child=StrictString(max_length=63, validators=[check_tag], rule={"pattern": f"^{TAG.pattern}$"}),
        max_length=20,
        default=list,
        help_text="Tags, to find the server by; they are put on its machine too.",
    )

    def validate_tags(self, tags: list[str]) -> list[str]:
        """Drop repetitions, keeping the order."""
        return list(dict.fromkeys(tags))


def check_user_data(text: str) -> None:
    """Hold user data to what every cloud takes. Raises ValidationError."""
    if len(text.encode()) > MAX_USER_DATA:
        raise serializers.ValidationError(f"User data has at most {MAX_USER_DATA} bytes.")


class ServerStep(ServerCreate):
    """A server to be created by a workflow, whose steps show their input: hence no user data."""

    image = StrictString(required=False, max_length=128, help_text="The name of an image of the account's catalog.")
    expires_at = UTCDateTime(required=False, help_text="When it is deleted by itself.")
    protected = StrictBoolean(required=False, help_text="Refuse to delete it until the protection is lifted.")


class ServerOrder(ServerStep):
    """A server to be created, with all that can be chosen."""

    user_data = MultilineString(
        required=False,
        max_length=None,
        validators=[check_user_data],
        help_text="cloud-init user data; kept encrypted and never shown again.",
    )


class ServerChange(Input):
    """What of a server can be changed; what is left out stays."""

    protected = StrictBoolean(required=False, help_text="Refuse to delete it until the protection is lifted.")
    expires_at = UTCDateTime(required=False, allow_null=True, help_text="When it is deleted by itself; null: never.")


class ServerDelete(Input):
    """The body of a deletion; it may be left out."""

    workspace = StrictString(required=False)
    server_id = StrictString(required=False)
    force = StrictBoolean(
        default=False, help_text="Delete it with its taskservs, and take over from an operation that holds it."
    )


class ServerPower(Input):
    """The body of a start, stop, reboot or repair; it may be left out."""

    workspace = StrictString(required=False)


class ServerSwitch(Input):
    """Which server a workflow starts, stops or reboots."""

    server_id = StrictString()


class ServerOut(serializers.ModelSerializer):
    """A server."""

    id = serializers.SlugField()  # as `provider`, text that needs no escaping in a list
    provider = serializers.SlugField()

    class Meta:
        model = Server
        fields = ["id", "hostname", "provider", "plan", "zone", "ip_address", "status", "created_at"]


class DriftOut(serializers.Serializer):
    """How a machine differs from what was done here."""

    kind = serializers.ChoiceField(
        Drift.choices,
        source="drift",
        help_text="What happened to the machine outside of this service: stopped, started, resized, or gone.",
    )
    note = serializers.CharField(source="drift_note", help_text="The difference, in a sentence.")
    seen_at = serializers.DateTimeField(
        source="drift_seen_at", allow_null=True, help_text="When a comparison last saw it."
    )


class ServerDetail(ServerOut):
    """A server with everything that is known of it; user data is never shown."""

    workspace = serializers.CharField(source="workspace.name")
    account = serializers.CharField(source="account.name")
    tags = serializers.ListField(child=serializers.CharField(), help_text="The tags of the server.")
    drift = serializers.SerializerMethodField()
    operation = serializers.UUIDField(allow_null=True, help_text="The unfinished operation that holds it.")

    class Meta(ServerOut.Meta):
        fields = [
            *ServerOut.Meta.fields,
            *("workspace", "account", "size", "image", "tags", "ssh_port", "emulated", "backed"),
            *("protected", "expires_at", "drift", "operation"),
        ]

    @extend_schema_field(DriftOut(allow_null=True))
    def get_drift(self, row: Server) -> dict[str, Any] | None:
        """Show the drift, null when there is none."""
        return dict(DriftOut(row).data) if row.drift else None


def creation(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of a creation, for workflows. Raises ValidationError."""
    serializer = ServerStep(data={"workspace": "-", **given})
    serializer.is_valid(raise_exception=True)
    return {key: value for key, value in serializer.validated_data.items() if key not in ("workspace", "check_mode")}


def deletion(given: dict[str, Any]) -> dict[str, Any]:
    """Check and complete the arguments of a deletion, for workflows. Raises ValidationError."""
    serializer = ServerDelete(data=given)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def listing(given: dict[str, Any]) -> dict[str, Any]:
    """Refuse whatever is given to a listing, which takes nothing. Raises ValidationError."""
    EmptyBody(data=given).is_valid(raise_exception=True)
    return {}


def switching(given: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a start, stop or reboot, for workflows. Raises ValidationError."""
    serializer = ServerSwitch(data=given)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
