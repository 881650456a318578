"""The stage as fixtures: `stage`, chosen by `on_stages` or `on_every_stage`, and a `driver` that reaches it."""

from contextlib import ExitStack
from functools import cache

import pytest

from apps.providers.drivers import connect
from tests.providers.clouds import stage_class


@pytest.fixture(scope="session")
def serve(request):
    """Run what plays a provider's cloud, from when it is first asked for until the last test."""
    with ExitStack() as stack:
        yield cache(lambda provider: stack.enter_context(stage_class(provider).served(request)))


@pytest.fixture(scope="session")
def served(request, serve):
    """Make the stage of the provider in question; a fixture of the session, so that settings outlive the test."""
    shared = serve(request.param)
    return lambda: stage_class(request.param)(shared)


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
