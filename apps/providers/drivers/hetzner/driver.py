"""The Hetzner Cloud driver.

A machine is known by its labels: `prov-managed`, `prov-install` (this installation) and `prov-machine` (our server id).
Nothing is stopped, started or deleted that does not carry them. Its name at Hetzner is made from the same, so that the
same order cannot become a second machine.
"""

from __future__ import annotations

import builtins
from datetime import UTC, datetime
from typing import Any, ClassVar

from apps.operations.errors import StepError
from apps.providers.drivers.base import (
    Connection,
    Image,
    ListChanged,
    Machine,
    MachineSpec,
    Plan,
    ProviderError,
    State,
    TransientProviderError,
    Zone,
)
from apps.providers.drivers.hetzner import catalog, machines
from apps.providers.drivers.hetzner.client import Client
from apps.providers.drivers.hetzner.errors import COMMON, ERRORS

LATEST = datetime.max.replace(tzinfo=UTC)


class Hetzner:
    """One project at Hetzner Cloud.

    Credentials are {"token": …}, one that may read and write. The endpoint ends in `/v1`.
    """

    title: ClassVar[str] = "Hetzner Cloud"
    credentials: ClassVar[tuple[tuple[str, ...], ...]] = (("token",),)

    def __init__(self, connection: Connection):
        self._client = Client(connection)
        self._installation = connection.installation

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def check(self) -> None:
        """Ask for the locations."""
        self.zones()

    def plans(self) -> builtins.list[Plan]:
        """Read the server types on offer with their net prices, IPv4 address included, where they can be ordered."""
        return catalog.plans(
            self._client.pages("/server_types", "server_types"), self._client.get("/pricing", "pricing")
        )

    def zones(self) -> builtins.list[Zone]:
        """Read the locations."""
        return catalog.zones(self._client.pages("/locations", "locations"))

    def images(self) -> builtins.list[Image]:
        """Read the Linux system images, Debian 12 first."""
        return catalog.images(self._client.pages("/images", "images", type="system"))

    def find(self, server_id: str) -> builtins.list[Machine]:
        """Look up by label: oldest first; a list shows as much as a single machine."""
        found = [machines.machine(server) for server in self._listed(server_id)]
        return sorted(found, key=lambda machine: (machine.created_at or LATEST, int(machine.ref)))

    def get(self, ref: str) -> Machine | None:
        """Read the machine; None only on Hetzner's own word that it does not exist."""
        server = self._server(ref)
        return machines.machine(server) if server else None

    def list(self) -> builtins.list[Machine]:
        """List this installation's machines in full detail."""
        try:
            return [machines.machine(server) for server in self._listed()]
        except ListChanged as change:
            ours = [server for server in change.seen if machines.is_ours(server, self._installation)]
            change.seen = [machines.machine(server) for server in ours]
            raise

    def create(self, spec: MachineSpec) -> Machine:
        """Order one machine, with root login by the given SSH keys only; the answer already holds its address.

        Raises OutcomeUnknown when the answer was lost or a machine of this name is there already: find() before
        creating again. Whatever else the answer holds, such as a password, is not read.
        """
        body = machines.creation(spec, self._installation, self._image(spec))
        server = self._client.send("POST", "/servers", body=body, creating=True).get("server")
        if not isinstance(server, dict) or not machines.REF.fullmatch(str(server.get("id"))):
            raise ERRORS.lost(creating=True)
        return machines.machine(server)

    def start(self, ref: str) -> None:
        """Ask for it to run."""
        self._change(ref, "poweron", expected=("running", "starting"))

    def stop(self, ref: str) -> None:
        """Power off (hard)."""
        self._change(ref, "poweroff", expected=("stopped", "stopping"))

    def reboot(self, ref: str) -> bool:
        """Ask its system to go down and come up again; one that does not listen to ACPI goes on as it was."""
        state = self._own(ref).state
        if state == "stopped":
            raise ProviderError("PROVIDER_INVALID", "The machine is stopped: start it instead.", ref=ref)
        if state != "starting":
            self._client.send("POST", f"/servers/{ref}/actions/reboot")
        return False

    def delete(self, ref: str, *, server_id: str, disks: tuple[str, ...] = ()) -> bool:
        """Take the next step: delete the machine, which takes its disk and the addresses made with it along.

        Volumes and addresses that others attached are kept. Raises ProviderError, PROVIDER_FORBIDDEN, when the machine
        is not `server_id` of this installation.
        """
        server = self._server(ref)
        if server is None:
            return True
        if not machines.is_ours(server, self._installation, server_id):
            raise ProviderError("PROVIDER_FORBIDDEN", "The machine does not carry this server's label.", ref=ref)
        if server.get("status") != "deleting":
            self._try("DELETE", f"/servers/{ref}")
        return False

    def _image(self, spec: MachineSpec) -> int:
        """Find the image of that name for the plan's architecture: a name is there once for x86 and once for arm."""
        types = self._client.pages("/server_types", "server_types", name=spec.plan)
        kind = next((item for item in types if item.get("name") == spec.plan), None)
        if kind is None:
            raise ProviderError("PROVIDER_INVALID", "Hetzner has no such server type.", plan=spec.plan)
        if isinstance(kind.get("disk"), int) and spec.disk_gib > kind["disk"]:
            sentence = f"The disk of this plan has {kind['disk']} GiB; Hetzner makes it no larger."
            raise ProviderError("PROVIDER_INVALID", sentence, plan=spec.plan)
        criteria = {"name": spec.image or catalog.DEBIAN_12, "architecture": kind.get("architecture")}
        images = self._client.pages("/images", "images", type="system", **criteria)
        fits = [item["id"] for item in images if catalog.is_image(item) and criteria.items() <= item.items()]
        if len(fits) != 1:
            raise ProviderError("PROVIDER_INVALID", "Hetzner has no such image for this plan.", **criteria)
        return fits[0]

    def _change(self, ref: str, verb: str, *, expected: tuple[State, ...]) -> None:
        """Ask for a state unless it is there already; a conflict is settled by looking once more."""
        if self._own(ref).state in expected:
            return
        try:
            self._client.send("POST", f"/servers/{ref}/actions/{verb}")
        except TransientProviderError as error:
            if error.code != COMMON.busy.code or self._own(ref).state not in expected:
                raise

    def _own(self, ref: str) -> Machine:
        """Read a machine that must be there and must be ours."""
        server = self._server(ref)
        if server is None:
            raise ProviderError(COMMON.gone.code, COMMON.gone.sentence, ref=ref)
        if not machines.is_ours(server, self._installation):
            raise ProviderError("PROVIDER_FORBIDDEN", "The machine does not carry our labels.", ref=ref)
        return machines.machine(server)

    def _try(self, method: str, path: str) -> None:
        """Send one step of a deletion; that it is gone already or not yet possible is seen at the next call."""
        try:
            self._client.send(method, path)
        except StepError as error:
            if error.code not in (COMMON.busy.code, COMMON.gone.code):
                raise

    def _listed(self, server_id: str | None = None) -> builtins.list[dict[str, Any]]:
        """List our servers by label, each label compared again."""
        selector = machines.selector(self._installation, server_id)
        servers = self._client.pages("/servers", "servers", label_selector=selector)
        return [server for server in servers if machines.is_ours(server, self._installation, server_id)]

    def _server(self, ref: str) -> dict[str, Any] | None:
        """Read a server; None when Hetzner says that it does not exist."""
        if not machines.REF.fullmatch(ref):
            raise ProviderError("PROVIDER_INVALID", "This is not the id of a server at Hetzner.", ref=ref)
        try:
            server = self._client.get(f"/servers/{ref}", "server")
        except ProviderError as error:
            if error.code != COMMON.gone.code:
                raise
            return None
        if str(server.get("id")) != ref:
            raise ERRORS.lost(creating=False, path=f"/servers/{ref}")
        return server
