"""The AWS driver: EC2 instances in the default VPC of the account's regions.

A machine is known by its tags: `prov-managed`, `prov-install` (this installation) and `prov-machine` (our server id).
Nothing is stopped, started or deleted that does not carry them. An order carries a ClientToken, too, so that EC2 does
not carry it out twice.
"""

from __future__ import annotations

import builtins
from datetime import UTC, datetime
from typing import Any, ClassVar

from apps.operations.errors import StepError
from apps.providers.drivers.aws import catalog, images, machines, network
from apps.providers.drivers.aws.client import Client
from apps.providers.drivers.aws.errors import COMMON, ERRORS
from apps.providers.drivers.base import (
    Connection,
    Image,
    Machine,
    MachineSpec,
    Plan,
    ProviderError,
    TransientProviderError,
    Zone,
)
from apps.providers.drivers.errors import cloud_code_of

LATEST = datetime.max.replace(tzinfo=UTC)
PAGE = 1000


class AWS:
    """One AWS account in the regions that it is to be used in.

    Credentials are {"access_key_id": …, "secret_access_key": …, "regions": "eu-west-1, us-east-1"}, with a
    "session_token" when the key is a temporary one. The endpoint is each region's own, unless one is given.
    """

    title: ClassVar[str] = "AWS"
    credentials: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("access_key_id", "secret_access_key", "regions"),
        ("access_key_id", "secret_access_key", "session_token", "regions"),
    )

    def __init__(self, connection: Connection):
        self._client = Client(connection)
        self._installation = connection.installation

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def check(self) -> None:
        """Ask each region for its zones: the region is there and the key may look."""
        self.zones()

    def plans(self) -> builtins.list[Plan]:
        """Read the types on offer, with the prices that are known, in every zone of the regions."""
        return catalog.merged(plan for region in self._client.regions for plan in self._plans(region))

    def zones(self) -> builtins.list[Zone]:
        """Read the availability zones of the regions."""
        found: builtins.list[Zone] = []
        for region in self._client.regions:
            answer = self._client.call(region, "describe_availability_zones")
            if not answer.get("AvailabilityZones"):
                raise ERRORS.incomplete("describe_availability_zones", region=region)
            found += catalog.zones(answer["AvailabilityZones"], region)
        return found

    def images(self) -> builtins.list[Image]:
        """Read the official Linux images and the account's own, Debian 12 first."""
        return images.images(self._client)

    def find(self, server_id: str) -> builtins.list[Machine]:
        """Look up by tag in every region: oldest first."""
        found = self._listed(server_id)
        return sorted(found, key=lambda machine: (machine.created_at or LATEST, machine.ref))

    def get(self, ref: str) -> Machine | None:
        """Read the machine; None when it is terminated, or on AWS's own word that there is none."""
        region, instance = self._instance(ref)
        return machines.machine(instance, region) if instance else None

    def list(self) -> builtins.list[Machine]:
        """List this installation's machines in the account's regions, in full detail."""
        return self._listed()

    def create(self, spec: MachineSpec) -> Machine:
        """Ask for one machine; the same order asked for again is the same machine.

        Its address is not known before it runs. Raises Ambiguous when the answer was lost, or when EC2 knows the order
        by other words: find() before ordering anew.
        """
        region = self._region_of(spec.zone)
        source = images.source(self._client, region, spec.image)
        place = network.place(self._client, region, spec.zone, self._installation)
        order = machines.order(spec, self._installation, source, place)
        answer = self._client.call(region, "run_instances", creating=True, **order)
        made = [machines.machine(instance, region) for instance in answer.get("Instances") or []]
        if len(made) != 1 or not machines.REF.fullmatch(made[0].ref):
            raise ERRORS.lost(creating=True)
        return made[0]

    def start(self, ref: str) -> None:
        """Ask for it to run; it gets another public address than it had."""
        region, machine = self._own(ref)
        if machine.state not in ("running", "starting"):
            self._change(region, machine, "start_instances")

    def stop(self, ref: str) -> None:
        """Ask for it to stop, by force once it has not done so by itself; its public address goes back to AWS."""
        region, machine = self._own(ref)
        if machine.state not in ("stopped", "stopping"):
            self._change(region, machine, "stop_instances", Force=True)

    def reboot(self, ref: str) -> bool:
        """Ask it to go down and come up again; EC2 powers it off after some minutes."""
        region, machine = self._own(ref)
        if machine.state == "stopped":
            raise ProviderError("PROVIDER_INVALID", "The machine is stopped: start it instead.", ref=ref)
        if machine.state != "starting":
            self._change(region, machine, "reboot_instances")
        return False

    def delete(self, ref: str, *, server_id: str, disks: tuple[str, ...] = ()) -> bool:
        """Take the next step: terminate the machine, which takes its disk along, then look for disks left behind.

        A disk is ours when it carries the machine's tags, as every disk of an order does; another one that somebody
        attached is kept, also when it is among `disks`. Raises Refused, PROVIDER_FORBIDDEN, when the machine is not
        `server_id` of this installation or a disk of it has come to be attached to another machine.
        """
        region, instance = self._instance(ref)
        if instance is None:
            return self._sweep(region, ref, server_id)
        if not machines.is_ours(instance, self._installation, server_id):
            raise ProviderError("PROVIDER_FORBIDDEN", "The machine does not carry this server's tag.", ref=ref)
        if machines.state_of(instance) != "shutting-down":
            self._try(region, "terminate_instances", InstanceIds=[instance["InstanceId"]])
        return False

    def _sweep(self, region: str, ref: str, server_id: str) -> bool:
        """Delete the disks that outlived their machine, True when there are none.

        A second machine with the same server id, as two orders leave it, keeps its disks.
        """
        kept = {disk for twin in self.find(server_id) for disk in twin.disks}
        filters = machines.filters(self._installation, server_id)
        tagged = self._client.pages(region, "describe_volumes", "Volumes", Filters=filters)
        ours = [volume for volume in tagged if machines.is_ours(volume, self._installation, server_id)]
        left = [volume for volume in ours if volume["VolumeId"] not in kept]
        for volume in left:
            self._discard(region, ref, volume)
        return not left

    def _discard(self, region: str, ref: str, volume: dict[str, Any]) -> None:
        """Ask for the deletion of a disk unless it is still being detached or deleted."""
        holders = {f"{region}/{held.get('InstanceId')}" for held in volume.get("Attachments") or []}
        if holders - {ref}:
            disk = volume["VolumeId"]
            raise ProviderError(
                "PROVIDER_FORBIDDEN", "A disk of the machine is now attached to another one.", disk=disk
            )
        if not holders and volume.get("State") != "deleting":
            self._try(region, "delete_volume", VolumeId=volume["VolumeId"])

    def _own(self, ref: str) -> tuple[str, Machine]:
        """Read a machine that must be there and must be ours, and its region."""
        region, instance = self._instance(ref)
        if instance is None:
            raise ProviderError(COMMON.gone.code, COMMON.gone.sentence, ref=ref)
        if not machines.is_ours(instance, self._installation):
            raise ProviderError("PROVIDER_FORBIDDEN", "The machine does not carry our tags.", ref=ref)
        return region, machines.machine(instance, region)

    def _change(self, region: str, machine: Machine, operation: str, **parameters: Any) -> None:
        """Send one change of a machine's state."""
        instance_id = machine.ref.partition("/")[2]
        self._client.call(region, operation, InstanceIds=[instance_id], **parameters)

    def _try(self, region: str, operation: str, **parameters: Any) -> None:
        """Send one step of a deletion; that it is gone already or not yet possible is seen at the next call."""
        try:
            self._client.call(region, operation, **parameters)
        except StepError as error:
            if error.code != COMMON.busy.code and not cloud_code_of(error).endswith(".NotFound"):
                raise

    def _plans(self, region: str) -> builtins.list[Plan]:
        types = self._client.pages(
            region, "describe_instance_types", "InstanceTypes", Filters=catalog.FILTERS, MaxResults=100
        )
        offers = self._client.pages(
            region,
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            MaxResults=PAGE,
        )
        zones: dict[str, builtins.list[str]] = {}
        for offer in offers:
            zones.setdefault(str(offer.get("InstanceType")), []).append(str(offer.get("Location")))
        return catalog.plans(types, zones, region)

    def _listed(self, server_id: str | None = None) -> builtins.list[Machine]:
        """List our machines by tag, in all regions; one that is terminated is none any more."""
        filters = machines.filters(self._installation, server_id, instance_state_name=machines.STATES)
        found: dict[str, Machine] = {}
        for region in self._client.regions:
            told = self._client.pages(region, "describe_instances", "Reservations", Filters=filters, MaxResults=PAGE)
            ours = [one for one in _instances(told) if machines.is_ours(one, self._installation, server_id)]
            living = [machines.machine(one, region) for one in ours if _exists(one)]
            found |= {machine.ref: machine for machine in living}
        if not all(machines.REF.fullmatch(ref) for ref in found):
            raise ERRORS.incomplete("describe_instances", region=", ".join(self._client.regions))
        return list(found.values())

    def _instance(self, ref: str) -> tuple[str, dict[str, Any] | None]:
        """Read the region and the instance of a ref; None when it is terminated or does not exist."""
        match = machines.REF.fullmatch(ref)
        if match is None:
            raise ProviderError(
                "PROVIDER_INVALID", "This is not a machine at AWS, like eu-west-1/i-0123456789abcdef0.", ref=ref
            )
        region, instance_id = match[1], match.groups()[-1]
        try:
            answer = self._client.call(region, "describe_instances", InstanceIds=[instance_id])
        except ProviderError as error:
            if error.code != COMMON.gone.code:
                raise
            self._require_absence(region, instance_id)
            return region, None
        told = _instances(answer.get("Reservations") or [])
        if [one.get("InstanceId") for one in told] != [instance_id]:
            raise ERRORS.incomplete("describe_instances", region=region)
        return region, told[0] if _exists(told[0]) else None

    def _require_absence(self, region: str, instance_id: str) -> None:
        """Ask for its disks: EC2 may deny, for some seconds, a machine that it has just made."""
        attached = [{"Name": "attachment.instance-id", "Values": [instance_id]}]
        if self._client.pages(region, "describe_volumes", "Volumes", Filters=attached):
            raise TransientProviderError(COMMON.busy.code, "AWS does not show the machine yet.", instance=instance_id)

    def _region_of(self, zone: str) -> str:
        """Tell the region of a zone such as eu-west-1a."""
        match = machines.ZONE.fullmatch(zone)
        if match is None or match[1] not in self._client.regions:
            raise ProviderError("PROVIDER_INVALID", "The zone is in none of the account's regions.", zone=zone)
        return match[1]


def _instances(reservations: builtins.list[dict[str, Any]]) -> builtins.list[dict[str, Any]]:
    """Give the instances, which EC2 lists by the request that made them."""
    return [instance for reservation in reservations for instance in reservation.get("Instances") or []]


def _exists(instance: dict[str, Any]) -> bool:
    return machines.state_of(instance) != machines.TERMINATED
