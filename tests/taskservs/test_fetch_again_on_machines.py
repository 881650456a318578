"""Installing packages from a mirror that does not answer for a moment."""

import pytest

from apps.operations.models import Event
from tests.providers.clouds.local import gateway, usable_engine
from tests.taskservs.apt_proxy import Proxy, apt_proxy
from tests.taskservs.role_runs import CACHE

pytestmark = pytest.mark.slow
APT_TRIES = 4  # of apt itself, for each package
CLEAN = "apt-get purge -qq --autoremove memcached; apt-get clean"


class Refusing(Proxy):
    """Refuses the first packages that it is asked for."""

    refusals = APT_TRIES + 1

    def fetched(self, path):
        if "/memcached_" in self.path and Refusing.refusals:
            Refusing.refusals -= 1
            return 503
        return super().fetched(path)


def test_it_fetches_a_package_again_and_tries_nothing_else_again(roles, real_servers):
    [server] = real_servers("web-01")
    roles.ssh.run(server, CLEAN, seconds=120)
    with apt_proxy(CACHE, Refusing) as port:
        roles.package_proxy = f"http://{gateway(usable_engine())}:{port}"
        roles.run(("memcached", [server], {}), actions=["install"])
    assert Refusing.refusals == 0
    again = Event.objects.filter(message__contains="Install packages: not yet")
    assert again.count() == 1

    refused = roles.outcome(("os", [server], {"packages": ["no-such-package"]}), actions=["install"])
    assert (
        refused["error"] == "web-01: \"Install packages\" failed: No package matching 'no-such-package' is available."
    )
    assert again.count() == 1
    roles.ssh.run(server, CLEAN, seconds=120)
