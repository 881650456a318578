"""Real machines for tests of taskservs: containers with systemd, shared by the tests of a session.

A test gets servers whose rows lead to them, and the workspace whose key opens them. What a test leaves on a machine,
the next one finds: ask for `fresh` machines where that matters.
"""

import itertools
import os
import time

import pytest

from apps.providers.drivers.base import Connection, MachineSpec
from apps.providers.drivers.local import Local
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.system.encryption import seal
from apps.workspaces.models import Workspace
from apps.workspaces.services import new_key_pair
from tests.providers.clouds.local import clear, usable_engine

INSTALLATION = f"taskservs-{os.getpid()}"
UP_SECONDS = 60


class Machines:
    """Containers of this session, made when they are first asked for."""

    def __init__(self, driver):
        self.driver, self.made = driver, []
        self.public_key, self.private_key = new_key_pair("tests")
        self.numbers = itertools.count(1)

    def take(self, count, *, fresh=False, plan="1xCPU-2GB", host_key=""):
        """Give so many running machines; with `fresh`, ones that nobody has used, which begin with that host key."""
        missing = count if fresh else max(0, count - len(self.made))
        new = [self.make(plan, host_key) for _ in range(missing)]
        if not fresh:
            self.made += new
        return [self.up(ref) for ref in (new if fresh else self.made[:count])]

    def make(self, plan, host_key=""):
        """Make one machine; gives its id."""
        number = next(self.numbers)
        spec = MachineSpec(
            server_id=f"srv-{INSTALLATION}-{number}".replace("_", "-"),
            hostname=f"machine-{number}",
            plan=plan,
            zone="local",
            disk_gib=0,
            ssh_keys=(self.public_key,),
            host_key=host_key,
        )
        return self.driver.create(spec).ref

    def up(self, ref):
        """Wait until a machine answers by SSH, started again if a test has stopped it."""
        give_up = time.monotonic() + UP_SECONDS
        while (machine := self.driver.get(ref)).state != "running":
            assert time.monotonic() < give_up, f"{ref} is {machine.state}"
            if machine.state == "stopped":
                self.driver.start(ref)
            time.sleep(0.05)
        return machine


@pytest.fixture(scope="session")
def machines():
    """The machines of this session; they are removed at its end."""
    engine = usable_engine()
    driver = Local(Connection(endpoint="", credentials={}, installation=INSTALLATION))
    try:
        yield Machines(driver)
    finally:
        clear(engine, INSTALLATION)
        driver.close()


@pytest.fixture
def real_servers(machines):
    """Make running servers by hostname whose rows lead to real machines, in the workspace `production`."""

    def make(*hostnames, fresh=False, host_key=""):
        where, _ = Workspace.objects.get_or_create(
            name="production", defaults={"path": "/opt/workspaces/production", "active": True}
        )
        sealed = seal(machines.private_key)
        Workspace.objects.filter(pk=where.pk).update(ssh_public_key=machines.public_key, sealed_ssh_key=sealed)
        account, _ = CloudAccount.objects.get_or_create(provider="local", name="here")
        facts = {"workspace": where, "account": account, "provider": "local", "plan": "1xCPU-2GB", "zone": "local"}
        taken = machines.take(len(hostnames), fresh=fresh, host_key=host_key)
        return [
            Server.objects.create(
                **facts,
                **{"hostname": name, "status": "running", "ref": machine.ref},
                **{"ip_address": machine.ip, "ssh_port": machine.ssh_port},
            )
            for name, machine in zip(hostnames, taken, strict=True)
        ]

    return make
