"""Which engines run without root's rights, by what they say of themselves (`GET /info`)."""

import pytest

from apps.providers.drivers.local.engine import Engine

PODMAN = {"NCPU": 2, "MemoryLimit": True, "SecurityOptions": ["name=seccomp,profile=default"]}
DOCKER = {"NCPU": 2, "MemoryLimit": True, "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"]}


def engine(info):
    found = Engine()
    found.facts = info
    return found


@pytest.mark.parametrize("cgroups", ["1", "2"])
@pytest.mark.parametrize(
    "info",
    [PODMAN | {"Rootless": True}, DOCKER | {"SecurityOptions": [*DOCKER["SecurityOptions"], "name=rootless"]}],
    ids=["Podman 4.3", "Docker"],
)
def test_a_rootless_engine_is_known_by_its_info_and_limits_nothing_on_the_first_cgroups(info, cgroups):
    found = engine(info | {"CgroupVersion": cgroups})
    assert found.is_rootless
    assert found.limits_resources is (cgroups == "2")


@pytest.mark.parametrize("info", [PODMAN | {"Rootless": False}, DOCKER], ids=["Podman 4.3", "Docker"])
def test_root_s_engine_limits_on_any_cgroups(info):
    found = engine(info | {"CgroupVersion": "1"})
    assert not found.is_rootless
    assert found.limits_resources
