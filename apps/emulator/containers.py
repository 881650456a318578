"""Containers behind emulated servers: where this machine has an engine, a server can be logged in to.

A container is made before its server is written down and removed after that is gone, outside of any change to the
state, for an engine takes its time. When the engine is away, servers go on as rows without anything behind them.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.conf import settings

from apps.emulator import labels, state, user_data
from apps.emulator.request_validation import Attributes
from apps.emulator.responses import refuse
from apps.operations.errors import StepError
from apps.providers.drivers.base import Connection, Machine, MachineSpec
from apps.providers.drivers.local import Local, machines

log = logging.getLogger(__name__)


def installation() -> str:
    """Name this emulator, so that two on one machine leave each other's containers alone."""
    return "emulator-" + hashlib.sha256(str(settings.EMULATOR_STATE).encode()).hexdigest()[:8]


def are_enabled() -> bool:
    """Tell whether servers get containers where this machine has a container engine."""
    return settings.EMULATOR_MACHINES != "none"


@contextmanager
def engine() -> Iterator[Local | None]:
    """Give the driver of this machine's engine, whether one is there or not; None where containers are switched off."""
    driver = Local(Connection(endpoint="", credentials={}, installation=installation()))
    try:
        yield driver if settings.EMULATOR_MACHINES != "none" else None
    finally:
        driver.close()


def is_usable(driver: Local) -> bool:
    """Tell whether the engine answers and has an image; where containers are demanded, anything else is a refusal."""
    try:
        driver.check()
    except StepError as error:
        if settings.EMULATOR_MACHINES == "containers":
            refuse("SERVICE_UNAVAILABLE", error.message, 503)
        return False
    return True


def launch(server: str, attributes: Attributes, size: Attributes) -> Machine | None:
    """Make and start a container for a server that is about to be created, as large as this machine allows."""
    with engine() as driver:
        if driver is None or not is_usable(driver):
            return None
        keys = attributes.get("login_user", {}).get("ssh_keys", {}).get("ssh_key", [])
        host_key, data = user_data.split(attributes.get("user_data", ""))
        spec = MachineSpec(
            server_id=server,
            hostname=attributes["hostname"],
            plan=size["plan"],
            zone=machines.ZONE,
            disk_gib=0,
            ssh_keys=tuple(keys),
            user_data="" if data.startswith(("http://", "https://")) else data,
            host_key=host_key,
        )
        try:
            return driver.launch(spec, cpus=int(size["core_number"]), memory_mib=int(size["memory_amount"]))
        except StepError as error:
            remove_all(driver, server)
            if settings.EMULATOR_MACHINES == "containers":
                refuse("SERVICE_UNAVAILABLE", error.message, 503)
            log.warning("server %s has no container: %s", server, error.message)
            return None


def start(server: str) -> None:
    """Start a server's container."""
    each(server, lambda driver, ref: driver.start(ref))


def stop(server: str) -> None:
    """Stop a server's container."""
    each(server, lambda driver, ref: driver.stop(ref))


def restart(server: str) -> None:
    """Restart a server's container."""
    each(server, lambda driver, ref: driver.reboot(ref))


def remove(server: str) -> None:
    """Remove the container of a server that is gone."""
    with engine() as driver:
        if driver is not None:
            remove_all(driver, server)


def tidy() -> None:
    """Remove containers whose servers are gone with a deleted state."""
    with state.reading() as db:
        keep_only({row["uuid"] for row in db.execute("SELECT uuid FROM servers")})


def missing() -> str:
    """Return the code of what new servers lack to be containers: ENGINE_NOT_FOUND, PROVIDER_…, or "" for nothing."""
    driver = Local(Connection(endpoint="", credentials={}, installation=installation()))
    try:
        driver.check()
    except StepError as error:
        return error.code
    finally:
        driver.close()
    return ""


def keep_only(servers: set[str]) -> None:
    """Remove the containers of this emulator whose servers are not there, as a deleted state leaves them behind."""
    with engine() as driver, suppress(StepError):
        if driver is None:
            return
        for machine in driver.list():
            if machine.server_id not in servers:
                remove_all(driver, machine.server_id)


def each(server: str, act: Callable[[Local, str], object]) -> None:
    """Do something to a server's container, if it has one. An error is logged and not raised."""
    with state.reading() as db:
        if not labels.has(db, server, labels.BACKED):
            return
    with engine() as driver:
        if driver is None:
            return
        try:
            for machine in driver.find(server):
                act(driver, machine.ref)
        except StepError as error:
            log.warning("the container of server %s did not follow: %s", server, error.message)


def remove_all(driver: Local, server: str) -> None:
    """Remove what a server has."""
    with suppress(StepError):
        for machine in driver.find(server):
            driver.delete(machine.ref, server_id=server)
