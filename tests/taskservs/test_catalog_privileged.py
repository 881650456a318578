"""The catalog's roles that need more than an ordinary container may, on machines of a privileged account.

Containers are made and read, not run: that asks for control groups which a container has not everywhere. `chrony` is
not among the roles: in a privileged container it would set the clock of the host.
"""

import pytest

from apps.providers.drivers.base import Connection
from apps.providers.drivers.local import Local
from tests.providers.clouds.local import clear, usable_engine
from tests.taskservs.machines import INSTALLATION, Machines
from tests.taskservs.role_runs import changed

pytestmark = pytest.mark.slow
ADDRESS = "192.0.2.10"
IMAGE = "tar --create --dereference --absolute-names /bin/echo $(ldd /bin/echo | grep --only-matching '/[^ ]*')"


@pytest.fixture
def machines():
    """Machines with all privileges, in place of the session's ordinary ones."""
    installation = f"{INSTALLATION}-privileged"
    engine = usable_engine()
    driver = Local(Connection(endpoint="", credentials={}, installation=installation, privileged=True))
    try:
        yield Machines(driver)
    finally:
        clear(engine, installation)
        driver.close()


def test_it_makes_containers_and_moves_an_address(roles, real_servers):
    one, two = real_servers("box-01", "box-02")
    pair = ("keepalived", [one, two], {"address": f"{ADDRESS}/32"})
    wanted = [("docker", [one], {"log_max_file": 2}), ("podman", [one], {"search_registries": ["example.com"]}), pair]
    roles.run(*wanted)
    assert changed(roles.run(*wanted)) == 0
    for engine in ("docker", "podman"):
        made = f"{IMAGE} | {engine} import - used:1 && {engine} create --name used used:1 /bin/echo"
        assert "bin/echo" in roles.ssh.run(one, f"{made} && {engine} export used | tar --list")

    held = f"ip -oneline address show to {ADDRESS}"
    assert roles.ssh.run(one, held) and not roles.ssh.run(two, held)
    roles.ssh.run(one, "systemctl stop keepalived")
    roles.ssh.run(two, f"until {held} | grep {ADDRESS}; do sleep 0.1; done")
    assert not roles.ssh.run(one, held)
    roles.run(pair)  # starts it again, and the primary takes the address back
    roles.ssh.run(two, f"while {held} | grep {ADDRESS}; do sleep 0.1; done")

    roles.run(*wanted, actions=["remove"], purge=True)
    for program in ("docker", "podman", "keepalived"):
        assert roles.ssh.tried(one, f"which {program}").returncode != 0, program
    assert not roles.ssh.run(one, held)
