"""The images: official ones under names that hold in every region, where each is the newest, and the account's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.providers.drivers.aws.client import Client
from apps.providers.drivers.base import Image, ProviderError

ARCHITECTURE = "x86_64"
AMI = re.compile(r"ami-[0-9a-f]{8,17}")
USABLE = {"architecture": ARCHITECTURE, "state": "available", "root-device-type": "ebs", "virtualization-type": "hvm"}


@dataclass(frozen=True)
class Official:
    """An image that its maker publishes from an account of his own, anew every few weeks."""

    title: str
    owner: str
    pattern: str


@dataclass(frozen=True)
class Source:
    """What a machine's disk is made from in one region: the AMI, its root device and the least GiB it needs."""

    ami: str
    device: str
    disk_gib: int


DEBIAN, CANONICAL = "136693071363", "099720109477"
UBUNTU = "ubuntu/images/hvm-ssd*/ubuntu-{}-amd64-server-*"
# The first is the default one.
OFFICIAL: dict[str, Official] = {
    "debian-12": Official("Debian 12 (bookworm)", DEBIAN, "debian-12-amd64-*"),
    "debian-13": Official("Debian 13 (trixie)", DEBIAN, "debian-13-amd64-*"),
    "ubuntu-24.04": Official("Ubuntu 24.04 (noble)", CANONICAL, UBUNTU.format("noble-24.04")),
    "ubuntu-22.04": Official("Ubuntu 22.04 (jammy)", CANONICAL, UBUNTU.format("jammy-22.04")),
}


def images(client: Client) -> list[Image]:
    """Read which official images there are in any of the regions, and the account's own AMIs, by their id."""
    found = [
        Image(name=name, title=official.title)
        for name, official in OFFICIAL.items()
        if any(_published(client, region, official) for region in client.regions)
    ]
    for region in client.regions:
        own = _described(client, region, owner="self")
        found += [Image(name=item["ImageId"], title=f"{item.get('Name') or 'unnamed'} ({region})") for item in own]
    return found


def source(client: Client, region: str, name: str) -> Source:
    """Find the AMI that an image's name means in a region, Debian 12 when empty.

    Raises Refused, PROVIDER_INVALID, when there is none.
    """
    official = OFFICIAL.get(name or next(iter(OFFICIAL)))
    if official:
        found = _published(client, region, official)
    elif AMI.fullmatch(name):
        found = client.pages(region, "describe_images", "Images", ImageIds=[name])
    else:
        found = []
    if not found:
        raise ProviderError("PROVIDER_INVALID", f"AWS has no such image in {region}.", image=name, region=region)
    return _source(max(found, key=lambda item: (str(item.get("CreationDate")), item["ImageId"])))


def _published(client: Client, region: str, official: Official) -> list[dict[str, Any]]:
    return _described(client, region, owner=official.owner, name=official.pattern)


def _described(client: Client, region: str, *, owner: str, **more: str) -> list[dict[str, Any]]:
    filters = [{"Name": key, "Values": [value]} for key, value in (USABLE | more).items()]
    return client.pages(region, "describe_images", "Images", Owners=[owner], Filters=filters)


def _source(image: Mapping[str, Any]) -> Source:
    device = str(image.get("RootDeviceName") or "/dev/xvda")
    mappings = {item.get("DeviceName"): item.get("Ebs") or {} for item in image.get("BlockDeviceMappings") or []}
    smallest = (mappings.get(device) or {}).get("VolumeSize")
    return Source(ami=image["ImageId"], device=device, disk_gib=smallest if isinstance(smallest, int) else 8)
