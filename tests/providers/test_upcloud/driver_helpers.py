"""A server's specification and helpers for the tests of the UpCloud driver."""

import pytest

from apps.providers.drivers import connect
from apps.providers.drivers.base import Connection, MachineSpec

SPEC = MachineSpec(
    server_id="srv-abc123",
    hostname="web-1.example.test",
    plan="2xCPU-4GB",
    zone="de-fra1",
    disk_gib=80,
    tags=("web", "blue"),
    ssh_keys=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII prov",),
    user_data="#cloud-config\npackage_update: false\n",
)
OURS = {"prov-managed": "1", "prov-install": "inst-1", "prov-machine": "srv-abc123"}
NOWHERE = "00aaaaaa-2222-4333-8444-555566667777"


def opened(cloud, **changes):
    given = {"endpoint": cloud.url, "credentials": {"token": cloud.token}, "installation": "inst-1"} | changes
    return connect("upcloud", Connection(**given))


def gone(driver, machine, disks=None, steps=10):
    """Delete to the end; gives the number of calls it took."""
    for step in range(1, steps + 1):
        if driver.delete(machine.ref, server_id=machine.server_id, disks=machine.disks if disks is None else disks):
            return step
    raise AssertionError(f"{machine.ref} is not gone after {steps} steps")


def raises(error, code):
    return pytest.raises(error, check=lambda raised: raised.code == code)
