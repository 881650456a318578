"""The stages that every driver is tested on, one a provider, and how to write the next.

A driver is finished when the shared suite says so. The suite knows no cloud: it drives a *stage*, and runs every test
of `tests/providers/test_every_driver/` (the driver alone) and of `tests/servers/test_every_cloud/` (whole operations,
through the API and the worker) on each stage below. To add a provider:

1. Write the driver: a class with the methods of `apps.providers.drivers.base.Driver`, named in `drivers/__init__.py`.
   A test fails until it has a stage.
2. Find something that plays the cloud over real HTTP and runs here: an emulator, a stub, the real engine. Nothing of
   the driver is replaced by a mock.
3. Write `tests/providers/clouds/<provider>.py`: a subclass of `base.CloudStage`. It says what can be ordered (`plan`,
   `zone`, `image`), looks past the driver at what really exists (`refs`, `disks`, `creates`, `tags_of`) and spoils
   (`fail`, `lose_create_answer`, `vanish`). Where the thing that plays the cloud has no faults of its own, put a
   `proxy.FaultProxy` between it and the driver and return it from `faults`: the spoiling in `base` then works as it
   is, and only `create_call`, `change_calls` and `answer` say what this cloud's requests and errors look like.
4. Add its line to STAGES.

What a cloud cannot show is left out of its `can` and `troubles`, and the tests of it are not collected for this cloud;
all others must pass. A stage that cannot run on a machine (no container engine) skips with the reason in `served`.

A driver's own tests can use its stage too, by `pytestmark = on_stages("<provider>")` and the fixtures `stage` and
`driver`.
"""

from importlib import import_module

import pytest

# The class in tests.providers.clouds.<module>, loaded when it is first needed: some bring large libraries with them.
STAGES = {
    "aws": "aws.AWSStage",
    "hetzner": "hetzner.HetznerStage",
    "local": "local.LocalStage",
    "upcloud": "upcloud.UpCloudStage",
}


def stage_class(provider):
    """Load a provider's stage."""
    module, _, name = STAGES[provider].rpartition(".")
    return getattr(import_module(f"{__name__}.{module}"), name)


def on_stages(*providers):
    """Mark tests that use the fixture `stage`: run them on these providers' stages; on containers they are `slow`."""
    return pytest.mark.parametrize("served", [param(name) for name in providers], indirect=True, scope="session")


def param(provider, *others):
    """Return a provider's stage, and what goes with it, as a parameter of a test."""
    return pytest.param(provider, *others, marks=[pytest.mark.slow] if provider == "local" else [])


def on_every_stage(*can, cannot=(), trouble=None):
    """Mark tests that use the fixture `stage`: run them on each that can do all this and have this trouble."""
    stages = {provider: stage_class(provider) for provider in STAGES}
    able = [name for name, stage in stages.items() if stage.can.issuperset(can) and stage.can.isdisjoint(cannot)]
    return on_stages(*(name for name in able if trouble in (None, *stages[name].troubles)))


def on_every_trouble(*wanted):
    """Mark tests that use `stage` and `trouble`: run them on each stage with each of these that it can have."""
    able = [(name, trouble) for name in STAGES for trouble in wanted if trouble in stage_class(name).troubles]
    ids = [f"{name}-{trouble.name.lower()}" for name, trouble in able]
    given = [param(name, trouble) for name, trouble in able]
    return pytest.mark.parametrize(("served", "trouble"), given, indirect=["served"], ids=ids, scope="session")
