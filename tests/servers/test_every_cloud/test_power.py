"""Starting, stopping and rebooting at every cloud: the state is reached, and it is still the same one machine."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.providers.clouds import on_every_stage, on_stages

pytestmark = pytest.mark.usefixtures("quick_looks")
ENDS = {"start": "running", "stop": "stopped", "reboot": "running"}


@pytest.fixture
def ready(request):
    """A server that can be started, stopped or rebooted."""
    return lambda verb: request.getfixturevalue("stopped") if verb == "start" else request.getfixturevalue("up")()


@pytest.fixture
def ends_as(stage, driver, run_worker):
    """Whether the operation has come to this state of its one machine."""

    def look(server, state, *, status="completed"):
        run_worker()
        ended = Operation.objects.latest("created_at")
        assert ended.status == status, (ended.error_code, ended.error)
        server.refresh_from_db()
        assert (server.status, driver.get(server.ref).state) == (state, state)
        assert list(stage.refs()) == [server.ref] and stage.creates() == 1

    return look


@on_every_stage()
def test_it_goes_down_comes_up_and_leaves_nothing(up, switch, ends_as, delete, run_worker, nothing_is_left):
    server = up()
    for verb in ("stop", "start", "reboot", "stop"):
        switch(verb, server)
        ends_as(server, ENDS[verb])
    delete()
    run_worker()
    nothing_is_left()


@on_stages("local")
def test_it_does_not_wait_to_see_a_machine_down_that_has_been_so(up, switch, ends_as, settings):
    settings.POWER_STATE_LAG_SECONDS = 3600
    server = up()
    switch("reboot", server)
    ends_as(server, "running")


@on_every_stage()
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("verb", ENDS)
def test_it_gets_there_when_the_answer_is_lost(stage, ready, switch, ends_as, verb, committed):
    server = ready(verb)
    stage.lose_answer(call=stage.change_calls[verb], committed=committed)
    switch(verb, server)
    ends_as(server, ENDS[verb])


@on_every_stage()
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("verb", ENDS)
def test_it_gets_there_when_the_worker_dies(ready, switch, worker_dies, ends_as, verb, after):
    server = ready(verb)
    switch(verb, server)
    worker_dies(verb, after=after)
    ends_as(server, ENDS[verb])


@on_every_stage()
@pytest.mark.parametrize("verb", ENDS)
def test_it_says_that_the_machine_is_gone(stage, ready, switch, run_worker, verb):
    server = ready(verb)
    stage.vanish(server.ref)
    switch(verb, server)
    run_worker()
    ended = Operation.objects.latest("created_at")
    assert (ended.status, ended.error_code) == ("failed", "MACHINE_GONE")
    assert stage.creates() == 1 and Server.objects.exists()
