"""Which engines run without root's rights, by what they say of themselves (`GET /info`)."""

import pytest

from apps.providers.drivers.local.engine import Engine

PODMAN = {"NCPU": 2, "MemoryLimit": True, "SecurityOptions": ["name=seccomp,profile=default"]}
DOCKER = {"NCPU": 2, "MemoryLimit": True, "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"]}


def engine(said):
    found = Engine()
    found.facts = said
    return found


@pytest.mark.parametrize("cgroups", ["1", "2"])
@pytest.mark.parametrize(
    "said",
    [PODMAN | {"Rootless": True}, DOCKER | {"SecurityOptions": [*DOCKER["SecurityOptions"], "name=rootless"]}],
    ids=["Podman 4.3", "Docker"],
)
def test_a_rootless_engine_is_known_by_its_word_and_limits_nothing_on_the_first_cgroups(said, cgroups):
    found = engine(said | {"CgroupVersion": cgroups})
    assert found.is_rootless
    assert found.limits_resources is (cgroups == "2")


@pytest.mark.parametrize("said", [PODMAN | {"Rootless": False}, DOCKER], ids=["Podman 4.3", "Docker"])
def test_root_s_engine_limits_on_any_cgroups(said):
    found = engine(said | {"CgroupVersion": "1"})
    assert not found.is_rootless
    assert found.limits_resources
