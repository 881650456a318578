"""The stage as fixtures: `stage`, chosen by `on_stages` or `on_every_stage`, and a `driver` that reaches it."""

from contextlib import ExitStack

import pytest

from apps.providers.drivers import connect

from . import stage_class


@pytest.fixture(scope="session")
def served(request):
    """What plays the cloud of the provider in question, kept up while tests about it run."""
    stage = stage_class(request.param)
    with stage.served(request) as shared:
        yield lambda: stage(shared)


@pytest.fixture
def stage(served):
    """The cloud that the test is about, empty and healthy."""
    stage = served()
    stage.reset()
    yield stage
    stage.reset()
    stage.close()


@pytest.fixture
def open_driver(stage):
    """Open drivers for connections to the stage; they are closed after the test."""
    with ExitStack() as stack:

        def opened(connection):
            driver = connect(stage.provider, connection)
            stack.callback(driver.close)
            return driver

        yield opened


@pytest.fixture
def driver(stage, open_driver):
    """The stage's driver with all that it needs."""
    return open_driver(stage.connection())
