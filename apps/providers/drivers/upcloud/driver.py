"""The UpCloud driver.

UpCloud has no idempotency key, so a machine is known by its labels: `prov-managed`, `prov-install` (this installation)
and `prov-machine` (our server id). Nothing is stopped, started or deleted that does not carry them.
"""

from __future__ import annotations

import builtins
import re
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
from apps.providers.drivers.machine_labels import identity_labels
from apps.providers.drivers.upcloud import catalog, machines
from apps.providers.drivers.upcloud.client import Client
from apps.providers.drivers.upcloud.errors import COMMON, ERRORS

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
START_SECONDS = 120.0
POWER_OFF = {"stop_server": {"stop_type": "hard"}}
RESTART = {"restart_server": {"stop_type": "soft", "timeout": "60", "timeout_action": "destroy"}}
LATEST = datetime.max.replace(tzinfo=UTC)


class UpCloud:
    """One UpCloud account.

    Credentials are {"token": …} or {"username": …, "password": …}; a token goes first. The endpoint ends in `/1.3`.
    """

    title: ClassVar[str] = "UpCloud"
    credentials: ClassVar[tuple[tuple[str, ...], ...]] = (("token",), ("username", "password"))

    def __init__(self, connection: Connection):
        self._client = Client(connection)
        self._installation = connection.installation

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def check(self) -> None:
        """Ask for the account's name."""
        self._client.get("/account", "account")

    def plans(self) -> list[Plan]:
        """Read the plans on offer with their prices in every zone; the same plans are sold in all zones."""
        return catalog.plans(self._client.items("/plan", "plans", "plan"), self._client.get("/price", "prices"))

    def zones(self) -> list[Zone]:
        """Read the public zones."""
        return catalog.zones(self._client.items("/zone", "zones", "zone"))

    def images(self) -> builtins.list[Image]:
        """Read the public Linux templates, Debian 12 first."""
        return machines.images(self._client.items("/storage/template", "storages", "storage"))

    def find(self, server_id: str) -> builtins.list[Machine]:
        """Look up by label, read each hit in detail and check the labels there again: oldest first."""
        details = [self._details(hit["uuid"]) for hit in self._listed(server_id)]
        found = [machines.machine(server) for server in details if server and self._is_ours(server, server_id)]
        return sorted(found, key=lambda machine: (machine.created_at or LATEST, machine.ref))

    def get(self, ref: str) -> Machine | None:
        """Read the machine in detail; None only on UpCloud's own word that the server does not exist."""
        server = self._details(ref)
        return machines.machine(server) if server else None

    def list(self) -> builtins.list[Machine]:
        """List this installation's machines; a list shows neither addresses nor disks."""
        try:
            return [machines.machine(server) for server in self._listed()]
        except ListChanged as change:
            change.seen = [machines.machine(server) for server in change.seen if self._is_ours(server)]
            raise

    def create(self, spec: MachineSpec) -> Machine:
        """Order one machine on a clone of Debian 12, with root login by the given SSH keys only.

        The answer already holds the final address and disks. Raises OutcomeUnknown when it was lost: find() before
        creating again.
        """
        body = machines.creation(spec, self._installation)
        server = self._client.send("POST", "/server", body=body, creating=True).part("server") or {}
        if not UUID.fullmatch(str(server.get("uuid"))):
            raise ERRORS.lost(creating=True)
        return machines.machine(server)

    def start(self, ref: str) -> None:
        """Ask for it to run.

        UpCloud answers when the machine runs, mostly within a minute, so this waits for up to 120 s of silence. Its
        `start_type: async` is known from one third party only and an attribute that it does not know is refused; a wait
        that is cut short is harmless, because the next call reads the state first.
        """
        self._change(ref, "start", {"server": {}}, expected=("running",), seconds=START_SECONDS)

    def stop(self, ref: str) -> None:
        """Power off (hard); UpCloud answers at once and still shows it as running for some seconds."""
        self._change(ref, "stop", POWER_OFF, expected=("stopped", "stopping"))

    def reboot(self, ref: str) -> bool:
        """Reboot (soft), with a hard power-off when it has not shut down in a minute."""
        state = self._own(ref).state
        if state == "stopped":
            raise ProviderError("PROVIDER_INVALID", "The machine is stopped: start it instead.", ref=ref)
        if state != "starting":
            self._client.send("POST", f"/server/{ref}/restart", body=RESTART)
        return False

    def delete(self, ref: str, *, server_id: str, disks: tuple[str, ...] = ()) -> bool:
        """Take the next step: power off, delete server and disks, then look for disks left behind.

        Raises Refused, PROVIDER_FORBIDDEN, when the machine is not `server_id` of this installation or when one of its
        disks has come to be attached to another machine.
        """
        server = self._details(ref)
        if server is None:
            return self._sweep(ref, server_id, disks)
        if not self._is_ours(server, server_id):
            raise ProviderError("PROVIDER_FORBIDDEN", "The machine does not carry this server's label.", ref=ref)
        state = machines.machine(server).state
        if state == "stopped":
            self._try("DELETE", f"/server/{ref}", params={"storages": "1", "backups": "delete"})
        elif state not in ("starting", "stopping"):
            self._try("POST", f"/server/{ref}/stop", body=POWER_OFF)
        return False

    def _sweep(self, ref: str, server_id: str, disks: tuple[str, ...]) -> bool:
        """Delete the disks that outlived their server: those given and those with its title, True when there are none.

        A second machine with the same server id, as two creations leave it, keeps its disks.
        """
        kept = {disk for twin in self.find(server_id) for disk in twin.disks}
        title = machines.disk_title(server_id, self._installation)
        private = self._client.pages("/storage/private", "storages", "storage")
        titled = [storage["uuid"] for storage in private if machines.is_disk(storage, title)]
        gone = [self._deleted(disk, ref) for disk in dict.fromkeys([*disks, *titled]) if disk not in kept]
        return all(gone)

    def _deleted(self, disk: str, ref: str) -> bool:
        """Tell whether the disk is gone, and ask for its deletion when it is not."""
        storage = self._thing("storage", disk)
        if storage is None:
            return True
        holders = machines.attached_to(storage)
        if holders - {ref}:
            raise ProviderError(
                "PROVIDER_FORBIDDEN", "A disk of the machine is now attached to another one.", disk=disk
            )
        if not holders:
            self._try("DELETE", f"/storage/{disk}", params={"backups": "delete"})
        return False

    def _change(
        self, ref: str, verb: str, body: Any, *, expected: tuple[State, ...], seconds: float | None = None
    ) -> None:
        """Ask for a state unless it is there already; a conflict is settled by looking once more."""
        if self._own(ref).state in expected:
            return
        try:
            self._client.send("POST", f"/server/{ref}/{verb}", body=body, seconds=seconds)
        except TransientProviderError as error:
            if error.code != "PROVIDER_BUSY" or self._own(ref).state not in expected:
                raise

    def _own(self, ref: str) -> Machine:
        """Read a machine that must be there and must be ours."""
        server = self._details(ref)
        if server is None:
            raise ProviderError(COMMON.gone.code, COMMON.gone.sentence, ref=ref)
        if not self._is_ours(server):
            raise ProviderError("PROVIDER_FORBIDDEN", "The machine does not carry our labels.", ref=ref)
        return machines.machine(server)

    def _try(self, method: str, path: str, **request: Any) -> None:
        """Send one step of a deletion; that it is gone already or not yet possible is seen at the next call."""
        try:
            self._client.send(method, path, **request)
        except StepError as error:
            if error.code != "PROVIDER_BUSY" and not _is_absence(error):
                raise

    def _listed(self, server_id: str | None = None) -> builtins.list[dict[str, Any]]:
        """List our servers by label; UpCloud matches loosely, so each label is compared again."""
        labels = identity_labels(self._installation, server_id or None)
        servers = self._client.pages("/server", "servers", "server", labels)
        if any("labels" not in server for server in servers):
            raise ERRORS.incomplete("/server")
        return [server for server in servers if self._is_ours(server, server_id)]

    def _details(self, ref: str) -> dict[str, Any] | None:
        return self._thing("server", ref)

    def _thing(self, kind: str, ref: str) -> dict[str, Any] | None:
        """Read a server or storage in detail; None when UpCloud says that it does not exist."""
        if not UUID.fullmatch(ref):
            raise ProviderError("PROVIDER_INVALID", f"This is not the id of a {kind} at UpCloud.", ref=ref)
        try:
            thing = self._client.get(f"/{kind}/{ref}", kind)
        except ProviderError as error:
            if not _is_absence(error):
                raise
            return None
        if thing.get("uuid") != ref:
            raise ERRORS.lost(creating=False, path=f"/{kind}/{ref}")
        return thing

    def _is_ours(self, server: dict[str, Any], server_id: str | None = None) -> bool:
        return machines.is_ours(server, self._installation, server_id)


def _is_absence(error: StepError) -> bool:
    """Tell whether UpCloud itself answered that the object does not exist; any other 404 proves nothing."""
    return error.data.get("status") == 404 and error.data.get("cloud_code") in ("SERVER_NOT_FOUND", "STORAGE_NOT_FOUND")
