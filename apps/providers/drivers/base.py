"""The whole contract between this service and a cloud: plain values in and out, typed errors, one short step a call.

No method sleeps or polls: what takes time is seen by calling again later. Every network call has a timeout. A driver
keeps no state between calls and logs no raw answer (they hold secrets). Write a driver by implementing `Driver` and
naming it in `drivers/__init__.py`.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from apps.operations import errors

State = Literal["starting", "running", "stopping", "stopped", "error", "unknown"]


class ProviderError(errors.Refused):
    """The cloud said no, and asking again will not help.

    Codes: PROVIDER_AUTH, PROVIDER_BILLING, PROVIDER_FORBIDDEN, PROVIDER_QUOTA, PROVIDER_CAPACITY, PROVIDER_INVALID,
    PROVIDER_NOT_FOUND (there is no such machine to start or stop).
    """


class TransientProviderError(errors.Retry):
    """The cloud did not do it this time (timeout, 5xx, rate limit, wrong state); asking again does no harm.

    Nothing was changed or, for start, stop and delete, the next call sees what was and goes on from there.

    Codes: PROVIDER_UNREACHABLE, PROVIDER_RATE_LIMITED, PROVIDER_BUSY, PROVIDER_UNAVAILABLE.
    """


class ListChanged(TransientProviderError):
    """Machines came or went while a list was read page by page, so that it is not proven complete.

    `seen` are the machines that it showed: each of them is there, but one that is missing may be there too.
    """

    def __init__(self, code: str, message: str, *, seen: Sequence[Any], **data: Any):
        super().__init__(code, message, **data)
        self.seen = seen


class OutcomeUnknown(errors.Retry):
    """A change was sent and its answer was lost: it may or may not have happened. Look before sending it again.

    Code: PROVIDER_ANSWER_LOST.
    """


@dataclass(frozen=True, kw_only=True)
class Price:
    """What something costs, in `currency` (ISO 4217): exact per hour, capped per month."""

    currency: str
    hourly: Decimal
    monthly: Decimal


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A place where machines can be made."""

    name: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a machine's disk is filled with; `name` is what an order gives."""

    name: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A size of machine; `prices` maps zone name to price and lacks the zones whose price is not known."""

    name: str
    cpus: int
    memory_mib: int
    disk_gib: int
    family: str = ""
    prices: Mapping[str, Price] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """The machine to make; `server_id` is written on it, so that it can be found again whatever happens.

    `plan`, `zone` and `image` are the provider's own names; without an image it is the driver's Debian 12. `ssh_keys`
    are OpenSSH public keys that may log in as root, `user_data` is cloud-init's. `host_key` is a private ECDSA key in
    OpenSSH's format that SSH on the machine is to begin with; without one, the machine makes its own. `order` names
    this one attempt to order: the same for a repetition that must not make a second machine, another one once the first
    is known to have come to nothing.
    """

    server_id: str
    hostname: str
    plan: str
    zone: str
    disk_gib: int
    tags: tuple[str, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    image: str = ""
    user_data: str = field(default="", repr=False)
    host_key: str = field(default="", repr=False)
    order: str = ""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as the cloud shows it; `ip` may be empty where it is known from a list only.

    `emulated` is true when the cloud itself says that it is an emulation; `backed` when a container stands behind such
    a machine all the same.
    """

    ref: str
    server_id: str
    hostname: str
    plan: str
    zone: str
    state: State
    ip: str = ""
    ssh_port: int = 22
    disks: tuple[str, ...] = ()
    created_at: datetime | None = None
    emulated: bool = False
    backed: bool = False


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach one cloud account: endpoint, credentials (never shown, hence no repr), our installation's name.

    Without an endpoint it is the driver's own, the provider's public one. `privileged` asks for machines with all
    privileges of their host, where the driver's are containers.
    """

    endpoint: str
    credentials: Mapping[str, str] = field(repr=False)
    installation: str
    privileged: bool = False


class Driver(Protocol):
    """One cloud. Methods raise ProviderError, TransientProviderError or, for a change that was sent, OutcomeUnknown.

    `title` is its name for people; `credentials` names what an account needs to have, in sets of which one must be
    complete: `(("token",), ("username", "password"))`, none when it needs nothing.
    """

    title: ClassVar[str]
    credentials: ClassVar[tuple[tuple[str, ...], ...]]

    def __init__(self, connection: Connection): ...

    def close(self) -> None:
        """Give back the connections."""

    def check(self) -> None:
        """Ask the cheapest authenticated question: returns when the credentials work."""

    def plans(self) -> builtins.list[Plan]:
        """All plans that can be ordered, with prices."""

    def zones(self) -> builtins.list[Zone]:
        """All public zones."""

    def images(self) -> builtins.list[Image]:
        """The Linux images that a machine can be made from, the default one first."""

    def find(self, server_id: str) -> builtins.list[Machine]:
        """Every machine of this installation that carries `server_id`, oldest first, in full detail."""

    def get(self, ref: str) -> Machine | None:
        """The machine in full detail, or None when the cloud says that there is none."""

    def list(self) -> builtins.list[Machine]:
        """Every machine of this installation, proven complete, or an error: never a part.

        Raises ListChanged when machines came or went while it was read.
        """

    def create(self, spec: MachineSpec) -> Machine:
        """Ask for one machine, once. Never looks first and never repeats: the caller does."""

    def start(self, ref: str) -> None:
        """Ask for it to run; running already is fine."""

    def stop(self, ref: str) -> None:
        """Ask for it to stop, hard; stopped already is fine."""

    def reboot(self, ref: str) -> bool:
        """Ask a running machine to go down and come up again; the same machine, disks and address.

        True when it has been down as this returns, so that nobody needs to see it so. One that is coming up already is
        fine. Raises Refused, PROVIDER_INVALID, when it is stopped: start it instead.
        """

    def delete(self, ref: str, *, server_id: str, disks: tuple[str, ...] = ()) -> bool:
        """Take one step towards nothing being left, disks included: True when it is so, else call again later."""


@runtime_checkable
class ReportsHostKeys(Protocol):
    """A driver whose cloud shows SSH host keys in another way than SSH, so that the first connection can be checked."""

    def host_key(self, ref: str) -> str:
        """The machine's public SSH host key, as in its `ssh_host_ed25519_key.pub`; empty when there is none to read."""
