"""The driver of containers on one's own machine.

A container's name comes from its server's id, so the engine itself refuses a second one; its labels say whose it is.
"""

from __future__ import annotations

import builtins
import re
from ipaddress import IPv4Network
from typing import Any, ClassVar

from django.conf import settings

from apps.operations.errors import StepError
from apps.providers.drivers.base import (
    Connection,
    Image,
    Machine,
    MachineSpec,
    OutcomeUnknown,
    Plan,
    ProviderError,
    TransientProviderError,
    Zone,
)
from apps.providers.drivers.local import machines
from apps.providers.drivers.local.engine import ERRORS, Engine
from apps.providers.drivers.local.machines import Place
from apps.providers.drivers.machine_labels import identity_labels

REF = re.compile(r"[0-9a-f]{64}")
IMAGE_LABEL, TITLE_LABEL, VERSION_LABEL = "prov-image", "prov-image-title", "prov-image-version"
STOP_SIGNAL = "SIGRTMIN+3"  # systemd then ends its services and itself
STOP_SECONDS, HOST_KEY_FILE = 5, "/etc/ssh/ssh_host_ed25519_key.pub"
NO_IMAGE = "The container engine has no image {image}; make it with `manage.py build_local_image`, or set LOCAL_IMAGE."


class Local:
    """The container engine of one machine; it needs no credentials, and no endpoint where it listens as usual."""

    title: ClassVar[str] = "Local containers"
    credentials: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def __init__(self, connection: Connection):
        self._engine = Engine(connection.endpoint)
        self._installation, self._privileged = connection.installation, connection.privileged

    def close(self) -> None:
        """Give back the connections."""
        self._engine.close()

    def check(self) -> None:
        """Ask whether the engine answers, and look for the image that machines are made from."""
        if not self._engine.facts or not self.images():
            raise ProviderError("PROVIDER_INVALID", NO_IMAGE.format(image=settings.LOCAL_IMAGE))

    def plans(self) -> builtins.list[Plan]:
        """Return the sizes that this machine has room for; they cost nothing."""
        return machines.plans(self._engine.facts)

    def zones(self) -> builtins.list[Zone]:
        """Return the one place there is."""
        title = str(self._engine.facts.get("Name") or "this machine")
        unlimited = "" if self._engine.limits_resources else " (its engine cannot limit processors and memory)"
        return [Zone(name=machines.ZONE, title=title + unlimited)]

    def images(self) -> builtins.list[Image]:
        """Return the engine's images that `build_local_image` or somebody else has labeled as machines."""
        found = {}
        for item in self._engine.ask("images", filters={"label": IMAGE_LABEL}):
            labels = machines.labels_of(item)
            found[labels[IMAGE_LABEL]] = labels.get(TITLE_LABEL, labels[IMAGE_LABEL])
        images = [Image(name=name, title=title) for name, title in found.items()]
        return sorted(images, key=lambda image: (image.name != settings.LOCAL_IMAGE, image.title))

    def find(self, server_id: str) -> builtins.list[Machine]:
        """Look up by label, oldest first."""
        found = [machines.machine(item) for item in self._listed(server_id)]
        return sorted(found, key=lambda machine: (machine.created_at, machine.ref))

    def get(self, ref: str) -> Machine | None:
        """Read one container, None when the engine says that there is none."""
        item = self._item(ref)
        return machines.machine(item) if item else None

    def list(self) -> builtins.list[Machine]:
        """List this installation's containers; the engine answers all of them or nothing."""
        return [machines.machine(item) for item in self._listed()]

    def create(self, spec: MachineSpec) -> Machine:
        """Make one container and start it.

        Raises Ambiguous when an answer was lost or a container of this server is there already: find() then.
        """
        plan = next((plan for plan in self.plans() if plan.name == spec.plan), None)
        if plan is None:
            raise ProviderError("PROVIDER_INVALID", f"This machine has no room for the plan {spec.plan}.")
        if spec.zone != machines.ZONE:
            raise ProviderError("PROVIDER_INVALID", f"There is no zone {spec.zone}; it is {machines.ZONE}.")
        return self.launch(spec, cpus=plan.cpus, memory_mib=plan.memory_mib)

    def launch(self, spec: MachineSpec, *, cpus: int, memory_mib: int) -> Machine:
        """Make and start a container of any size."""
        image = self._image(spec.image or settings.LOCAL_IMAGE)
        place = self._place()
        ref = self._made(spec, image, place, self._size(cpus, memory_mib))
        if len(self._items({"label": [f"prov-address={place.ip}"]})) > 1:
            self._engine.ask("remove_container", ref, force=True, v=True)
            raise TransientProviderError(
                "PROVIDER_BUSY", "Another machine was given the same address at the same moment.", after=0.1
            )
        try:
            if spec.host_key:
                self._engine.write_files(ref, machines.SSH_FOLDER, machines.host_key_files(spec.host_key))
            self._engine.ask("start", ref)
            found = self.get(ref)
        except StepError as error:
            raise OutcomeUnknown("PROVIDER_ANSWER_LOST", "The container was made, but may not have started.") from error
        if found is None:
            raise OutcomeUnknown("PROVIDER_ANSWER_LOST", "The container was made and has vanished.")
        return found

    def start(self, ref: str) -> None:
        """Start it; one that runs is left alone."""
        if self._own(ref).state != "running":
            self._engine.ask("start", ref)

    def stop(self, ref: str) -> None:
        """Stop it, by force: it is a power switch."""
        if self._own(ref).state != "stopped":
            self._engine.ask("stop", ref, timeout=0)

    def reboot(self, ref: str) -> bool:
        """Stop it in order, within five seconds, and start it again."""
        if self._own(ref).state in ("stopped", "stopping"):
            raise ProviderError("PROVIDER_INVALID", "The container does not run.", ref=ref)
        self._engine.ask("restart", ref, timeout=STOP_SECONDS)
        return True

    def delete(self, ref: str, *, server_id: str, disks: tuple[str, ...] = ()) -> bool:
        """Remove it with its volumes.

        Raises Refused, PROVIDER_FORBIDDEN, when the container is not `server_id` of this installation.
        """
        item = self._item(ref)
        if item is None:
            return True
        if not machines.is_ours(item, self._installation, server_id):
            raise ProviderError("PROVIDER_FORBIDDEN", "The container does not carry this server's label.", ref=ref)
        try:
            self._engine.ask("remove_container", ref, force=True, v=True)
        except (ProviderError, TransientProviderError) as error:
            if error.code not in ("PROVIDER_NOT_FOUND", "PROVIDER_BUSY"):
                raise
        return self._item(ref) is None

    def host_key(self, ref: str) -> str:
        """Read the machine's public SSH host key from its files, through the engine."""
        self._own(ref)
        try:
            return self._engine.read_file(ref, HOST_KEY_FILE)
        except ProviderError as error:
            if error.code != "PROVIDER_NOT_FOUND":
                raise
            return ""

    # ── asking the engine ─────────────────────────────────────────────────────────────────────────────────────────────
    def _made(self, spec: MachineSpec, image: dict[str, Any], place: Place, size: dict[str, int]) -> str:
        """Make the container and return its id."""
        bindings = {machines.SSH_PORT: (place.ip, place.port)} if place.is_published else {}
        host = {**size, "restart_policy": {"Name": self._engine.restart_policy}, "port_bindings": bindings}
        host |= {"privileged": True} if self._privileged else {}
        has_systemd = VERSION_LABEL in machines.labels_of(image)
        host |= self._engine.for_systemd() if has_systemd else {}
        try:
            made = self._engine.ask(
                "create_container",
                image["Id"],
                name=f"{self._installation}-{spec.server_id}",
                hostname=machines.hostname(spec.hostname),
                environment=machines.environment(spec),
                labels=machines.labels(spec, self._installation, place),
                host_config=self._engine.api.create_host_config(**host),
                stop_signal=STOP_SIGNAL if has_systemd else None,
                creating=True,
                **self._attachment(place),
            )
        except TransientProviderError as error:
            if error.code != "PROVIDER_BUSY":
                raise
            raise OutcomeUnknown("PROVIDER_ANSWER_LOST", "A container of this server is there already.") from error
        if not REF.fullmatch(str(made.get("Id"))):
            raise OutcomeUnknown("PROVIDER_ANSWER_LOST", "The container engine's answer cannot be read.")
        return made["Id"]

    def _size(self, cpus: int, memory_mib: int) -> dict[str, int]:
        """Return the limits, as far as the engine can set them and the machine has the processors."""
        if not self._engine.limits_resources:
            return {}
        memory, processors = memory_mib * 2**20, min(cpus, self._engine.facts["NCPU"])
        return {"nano_cpus": processors * 10**9, "mem_limit": memory, "memswap_limit": memory}

    def _place(self) -> Place:
        """Choose where a new machine is to be reached."""
        taken = {machines.labels_of(item)["prov-address"] for item in self._items({"label": ["prov-address"]})}
        return machines.free_place(taken, None if self._engine.is_rootless else self._subnet() or self._new_subnet())

    def _attachment(self, place: Place) -> dict[str, Any]:
        """Return how a container is reached there: at its own address, or at a port of the host."""
        if place.is_published:
            return {"ports": [machines.SSH_PORT]}
        mac_address = machines.mac_address(place.ip)
        endpoint = self._engine.api.create_endpoint_config(ipv4_address=place.ip, mac_address=mac_address)
        return {"networking_config": self._engine.api.create_networking_config({settings.LOCAL_NETWORK: endpoint})}

    def _subnet(self) -> IPv4Network | None:
        """Read the addresses of our network, None when it is not there."""
        for network in self._engine.ask("networks", names=[settings.LOCAL_NETWORK]):
            if network.get("Name") == settings.LOCAL_NETWORK:
                return IPv4Network(network["IPAM"]["Config"][0]["Subnet"])
        return None

    def _new_subnet(self) -> IPv4Network:
        """Make our network; another process may just have done so. Raises Refused, NETWORK_UNUSABLE."""
        from docker.types import IPAMConfig, IPAMPool

        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=settings.LOCAL_SUBNET)])
        try:
            self._engine.ask("create_network", settings.LOCAL_NETWORK, driver="bridge", ipam=pool)
        except StepError as error:
            if (made := self._subnet()) is None:
                text = f"The engine cannot make a network of {settings.LOCAL_SUBNET}; set LOCAL_SUBNET to a free range."
                raise ProviderError("NETWORK_UNUSABLE", text) from error
            return made
        return IPv4Network(settings.LOCAL_SUBNET)

    def _image(self, name: str) -> dict[str, Any]:
        """Return the image that carries the name, or has it as its reference. Raises Refused."""
        for query in ({"filters": {"label": f"{IMAGE_LABEL}={name}"}}, {"name": name}):
            found = self._engine.ask("images", **query)
            if found:
                return max(found, key=lambda image: image["Created"])
        raise ProviderError("PROVIDER_INVALID", NO_IMAGE.format(image=name))

    def _listed(self, server_id: str | None = None) -> builtins.list[dict[str, Any]]:
        labels = [f"{key}={value}" for key, value in identity_labels(self._installation, server_id or None).items()]
        return [
            item for item in self._items({"label": labels}) if machines.is_ours(item, self._installation, server_id)
        ]

    def _item(self, ref: str) -> dict[str, Any] | None:
        """Read the list's entry of one container."""
        if not REF.fullmatch(ref):
            raise ProviderError("PROVIDER_INVALID", "This is not the id of a container.", ref=ref)
        return next((item for item in self._items({"id": [ref]}) if item["Id"] == ref), None)

    def _items(self, filters: dict[str, Any]) -> builtins.list[dict[str, Any]]:
        """List containers, stopped ones too; anything but a whole list is an error."""
        found = self._engine.ask("containers", all=True, filters=filters)
        if not isinstance(found, list) or not all(isinstance(item, dict) and "Id" in item for item in found):
            raise ERRORS.incomplete("containers")
        return found

    def _own(self, ref: str) -> Machine:
        """Read a container that must be there and must be ours."""
        item = self._item(ref)
        if item is None:
            raise ProviderError("PROVIDER_NOT_FOUND", "There is no such container any more.", ref=ref)
        if not machines.is_ours(item, self._installation):
            raise ProviderError("PROVIDER_FORBIDDEN", "The container does not carry our labels.", ref=ref)
        return machines.machine(item)
