"""Where a machine is connected: the default subnet of its zone, and one security group for each installation and VPC.

The group lets SSH in from everywhere and the installation's machines reach each other. EC2's default group lets nobody
in from outside. Changes that others make to its rules are kept: rules are written once, when the group is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.operations.errors import StepError
from apps.providers.drivers.aws.client import Client
from apps.providers.drivers.aws.errors import COMMON
from apps.providers.drivers.base import ProviderError, TransientProviderError
from apps.providers.drivers.errors import cloud_code_of
from apps.providers.drivers.machine_labels import INSTALLATION, MANAGED


@dataclass(frozen=True)
class Place:
    """A subnet and a security group in its VPC, by their ids."""

    subnet: str
    group: str


def place(client: Client, region: str, zone: str, installation: str) -> Place:
    """Find where a machine of the zone goes, and make the security group when there is none.

    Raises Refused, PROVIDER_INVALID, when the zone has no default subnet or the group's name belongs to others.
    """
    filters = [{"Name": "default-for-az", "Values": ["true"]}, {"Name": "availability-zone", "Values": [zone]}]
    subnet = next(iter(client.pages(region, "describe_subnets", "Subnets", Filters=filters)), None)
    if subnet is None:
        raise ProviderError("PROVIDER_INVALID", f"The AWS account has no default subnet in {zone}.", zone=zone)
    return Place(subnet=subnet["SubnetId"], group=_group(client, region, subnet["VpcId"], installation))


def _group(client: Client, region: str, vpc: str, installation: str) -> str:
    """Return the installation's security group with its rules; make it if there is none."""
    group = _found(client, region, vpc, installation) or _made(client, region, vpc, installation)
    if not group.get("IpPermissions"):  # it is new, or its making was cut short
        rules = [_ssh(), {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group["GroupId"]}]}]
        _unless(
            "InvalidPermission.Duplicate",
            client,
            region,
            "authorize_security_group_ingress",
            GroupId=group["GroupId"],
            IpPermissions=rules,
        )
    return group["GroupId"]


def _found(client: Client, region: str, vpc: str, installation: str) -> dict[str, Any] | None:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": [_name(installation)]}]
    groups = client.pages(region, "describe_security_groups", "SecurityGroups", Filters=filters)
    for group in groups:
        if {"Key": INSTALLATION, "Value": installation} not in (group.get("Tags") or []):
            raise ProviderError(
                "PROVIDER_INVALID",
                f"There is a security group {_name(installation)} at AWS that was not made here.",
                group=group["GroupId"],
            )
    return groups[0] if groups else None


def _made(client: Client, region: str, vpc: str, installation: str) -> dict[str, Any]:
    """Make the group, named and tagged in one request; a name can be there only once in a VPC."""
    tags = [{"Key": MANAGED, "Value": "1"}, {"Key": INSTALLATION, "Value": installation}]
    made = _unless(
        "InvalidGroup.Duplicate",
        client,
        region,
        "create_security_group",
        GroupName=_name(installation),
        Description="Machines of this installation: SSH from everywhere, anything from each other",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )
    group = made or _found(client, region, vpc, installation)
    if group is None:
        raise TransientProviderError(COMMON.busy.code, COMMON.busy.sentence, region=region)
    return group


def _unless(code: str, client: Client, region: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
    """Send a request; None when it is refused with `code`, which says that another process has made it."""
    try:
        return client.call(region, operation, **parameters)
    except StepError as error:
        if cloud_code_of(error) != code:
            raise
        return None


def _name(installation: str) -> str:
    return f"prov-{installation}"


def _ssh() -> dict[str, Any]:
    return {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "SSH, by key only"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "SSH, by key only"}],
    }
