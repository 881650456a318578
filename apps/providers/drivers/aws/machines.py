"""EC2's instances, from and to our plain values."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from apps.providers.drivers.aws import user_data
from apps.providers.drivers.aws.client import REGION
from apps.providers.drivers.aws.images import Source
from apps.providers.drivers.aws.network import Place
from apps.providers.drivers.base import Machine, MachineSpec, State
from apps.providers.drivers.machine_labels import has_identity, identity_labels, labels_for, labels_of_tags

REF = re.compile(rf"({REGION})/(i-[0-9a-f]{{8,17}})")
ZONE = re.compile(rf"({REGION})[a-z]")
LONGEST_TAG = 256
TAGGED = ("instance", "volume", "network-interface")

STATES: dict[str, State] = {
    "pending": "starting",
    "running": "running",
    "shutting-down": "stopping",
    "stopping": "stopping",
    "stopped": "stopped",
}
TERMINATED = "terminated"


def machine(instance: Mapping[str, Any], region: str) -> Machine:
    """Read a machine from an instance; its ref tells the region, too, which an instance's id does not."""
    tags = tags_of(instance)
    return Machine(
        ref=f"{region}/{instance.get('InstanceId')}",
        server_id=tags.get("prov-machine", ""),
        hostname=tags.get("Name", ""),
        plan=str(instance.get("InstanceType") or ""),
        zone=str((instance.get("Placement") or {}).get("AvailabilityZone") or ""),
        state=STATES.get(state_of(instance), "unknown"),
        ip=_ipv4(instance.get("PublicIpAddress")),
        disks=tuple(disk["VolumeId"] for disk in _disks(instance) if disk.get("VolumeId")),
        created_at=_created_at(instance),
    )


def state_of(instance: Mapping[str, Any]) -> str:
    """Read EC2's own word for the state."""
    return str((instance.get("State") or {}).get("Name") or "")


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """Read the tags of an instance, a volume or a group."""
    return {tag.get("Key", ""): tag.get("Value", "") for tag in thing.get("Tags") or []}


def is_ours(thing: Mapping[str, Any], installation: str, server_id: str | None = None) -> bool:
    """Tell whether this installation made it and, when given, made it for this server."""
    return has_identity(tags_of(thing), identity_labels(installation, server_id))


def filters(installation: str, server_id: str | None = None, **more: Iterable[str]) -> list[dict[str, Any]]:
    """Write the filters for what is ours; `*` and `?` match widely in them, so that each hit is looked at again."""
    filters = {f"tag:{key}": [value] for key, value in identity_labels(installation, server_id or None).items()}
    filters |= {name.replace("_", "-"): list(values) for name, values in more.items()}
    return [{"Name": name, "Values": values} for name, values in filters.items()]


def token(spec: MachineSpec, installation: str) -> str:
    """Name the order, in the 64 ASCII characters that a ClientToken may have."""
    return hashlib.sha256("\0".join((installation, spec.server_id, spec.order)).encode()).hexdigest()


def order(spec: MachineSpec, installation: str, source: Source, place: Place) -> dict[str, Any]:
    """Write the parameters that ask for a machine: one disk that goes with it, a public address, IMDSv2 only."""
    tags = _tags(spec, installation)
    disk = {"VolumeType": "gp3", "VolumeSize": max(spec.disk_gib, source.disk_gib), "DeleteOnTermination": True}
    interface = {"DeviceIndex": 0, "SubnetId": place.subnet, "Groups": [place.group]}
    interface |= {"AssociatePublicIpAddress": True, "DeleteOnTermination": True}
    return {
        "ClientToken": token(spec, installation),
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": source.ami,
        "InstanceType": spec.plan,
        "UserData": user_data.document(spec),
        "BlockDeviceMappings": [{"DeviceName": source.device, "Ebs": disk}],
        "NetworkInterfaces": [interface],
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required"},
        "InstanceInitiatedShutdownBehavior": "stop",
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in TAGGED],
    }


def _tags(spec: MachineSpec, installation: str) -> list[dict[str, str]]:
    tags = labels_for(spec.server_id, installation) | {"Name": spec.hostname}
    tags |= labels_of_tags(spec.tags, longest=LONGEST_TAG)
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _disks(instance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [device["Ebs"] for device in instance.get("BlockDeviceMappings") or [] if device.get("Ebs")]


def _created_at(instance: Mapping[str, Any]) -> datetime | None:
    """Find when it was made: its LaunchTime is the last start, but its first interface and disk stay attached."""
    attachments = [interface.get("Attachment") or {} for interface in instance.get("NetworkInterfaces") or []]
    times = [thing.get("AttachTime") for thing in [*attachments, *_disks(instance)]] + [instance.get("LaunchTime")]
    return min((time.astimezone(UTC) for time in times if isinstance(time, datetime)), default=None)


def _ipv4(text: Any) -> str:
    """Let only a real address through: it becomes part of command lines."""
    try:
        return str(ipaddress.IPv4Address(text)) if isinstance(text, str) else ""
    except ValueError:
        return ""
