"""Runs of the catalog's roles on real machines, through the service's own runner."""

import os
import tempfile
from pathlib import Path

import pytest

from apps.taskservs.ansible.requests import RolePlay, RunRequest
from apps.taskservs.catalog_loader import definition_named
from apps.taskservs.services.credentials import completed
from tests.providers.clouds.local import gateway, usable_engine
from tests.ssh import Client
from tests.taskservs.apt_proxy import apt_proxy

# What a purge may leave: what changes by itself, files of packages that apt keeps as others suggest them.
MAY_STAY = "/proc /sys /dev /run /tmp /root /var/cache /var/log /var/tmp /var/lib/apt /var/lib/dpkg /var/lib/systemd"
# What Debian's packages leave: copies of the settings that they were installed with, the first page of a web server.
MAY_STAY += " /var/lib/ucf /var/www /etc/networks"
MAY_STAY += " /usr/bin /usr/sbin /usr/lib /usr/share /etc/alternatives /etc/subuid- /etc/subgid-"
PATIENCE = 3000  # for a dozen services, beside other work on the same machine
CACHE = Path(tempfile.gettempdir()) / f"provisioning-apt-cache-{os.getuid()}"


class Roles:
    """Runs roles as taskservs with members; secrets are made once per taskserv and known as `secrets[name]`."""

    def __init__(self, stage, package_proxy, ssh):
        self.stage, self.package_proxy, self.ssh, self.secrets, self.numbers = stage, package_proxy, ssh, {}, {}

    def play(self, name, servers, config, actions, purge, only):
        definition = definition_named(name)
        secrets = self.secrets.setdefault(name, completed(definition, {}))
        given = {key: value for key, value in config.items() if key not in definition.secrets}
        numbers = self.numbers.setdefault(name, {})
        members = [
            {
                **{"hostname": each.hostname, "address": each.ip_address, "role": definition.role_of(at)},
                "index": numbers.setdefault(each.id, len(numbers)),
            }
            for at, each in enumerate(servers)
        ]
        return RolePlay(
            taskserv=name,
            role_path=str(definition.directory),
            tasks=list(actions or definition.stages),
            server_ids=[each.id for each in only or servers],
            variables={
                **{f"{name}_{key}": value for key, value in definition.complete(given).items()},
                "taskserv_name": name,
                "taskserv_members": members,
                "taskserv_purge": purge,
                "taskserv_package_sources": {"proxy": self.package_proxy},
            },
            secret_variables={f"{name}_{key}": value for key, value in secrets.items()},
            host_variables={each.id: {"taskserv_role": definition.role_of(at)} for at, each in enumerate(servers)},
        )

    def paths(self, server):
        """Return the paths of what is on a server and belongs to no package, but for what may stay after a purge."""
        leave_out = " -o ".join(f"-path {path}" for path in MAY_STAY.split())
        find = f"find / -xdev \\( {leave_out} \\) -prune -o -print"
        packaged = "cat /var/lib/dpkg/info/*.list | sort -u >/tmp/packaged"
        return set(self.ssh.run(server, f"{packaged}; {find} | sort | comm -23 - /tmp/packaged").splitlines())

    def run(self, *wanted, **more):
        """Run roles as `outcome` does, without a failure; gives the result."""
        result = self.outcome(*wanted, **more)
        assert result["error"] == "", result
        return result

    def outcome(self, *wanted, actions=None, check_mode=False, purge=False, only=None):
        """Run some files of roles, the stages unless said, for each `(name, servers, config)`; gives the result."""
        plays = [self.play(*each, actions, purge, only) for each in wanted]
        operation = self.stage.submit(RunRequest(plays=plays, check_mode=check_mode))
        self.stage.until(lambda: not type(operation).objects.unfinished().filter(pk=operation.pk).exists(), PATIENCE)
        operation.refresh_from_db()
        assert operation.status == "completed", operation.error
        return operation.result


def changed(result):
    """Return how many tasks have changed something."""
    return sum(host["changed"] for host in result["hosts"].values())


@pytest.fixture(scope="session")
def packages():
    """The port of a proxy that keeps the packages that machines install; a later session finds them there."""
    with apt_proxy(CACHE) as port:
        yield port


@pytest.fixture
def package_proxy(machines, packages, settings):
    """Have the service install packages through that proxy; gives its address."""
    machines.take(1)  # there is no network before the first machine
    address = f"http://{gateway(usable_engine())}:{packages}"
    settings.TASKSERV_PACKAGE_SOURCES = {"proxy": address}
    return address


@pytest.fixture
def roles(ansible, real_servers, package_proxy, tmp_path):
    """Roles on the machines of this session."""
    [server] = real_servers("unused")
    ssh = Client.of(server.workspace, tmp_path)
    server.delete()
    return Roles(ansible, package_proxy, ssh)
