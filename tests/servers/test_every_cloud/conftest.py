"""Fixtures of `tests/servers` for any cloud: an account on the stage, and workers that die when it matters."""

import time

import pytest

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.providers.drivers import DRIVERS
from apps.providers.services import register_account
from apps.servers.models import Server
from tests.providers.catalogs import read_catalog


class Died(BaseException):
    """The worker's process is no more."""


@pytest.fixture
def run_worker(db, step):
    """Play the worker until nothing is due, at a cloud that takes its time."""

    def run(seconds=30):
        ends, pause = time.monotonic() + seconds, 0.005
        while Operation.objects.unfinished().exists():
            assert time.monotonic() < ends, list(Operation.objects.unfinished().values_list("kind", "status_message"))
            step()
            time.sleep(pause)
            pause = min(pause * 1.4, 0.25)  # machines that are looked at all the time have no time to boot

    return run


@pytest.fixture
def account(stage, workspace, run_worker, settings):
    """An account on the stage, its catalog known."""
    settings.INSTALLATION = stage.installation
    connection = stage.connection()
    made = register_account(
        provider=stage.provider, name="default", endpoint=connection.endpoint, credentials=connection.credentials
    )
    read_catalog(made, run_worker)
    return made


@pytest.fixture
def body(account, stage):
    """A server at the stage's cloud."""
    given = {"workspace": "production", "provider": stage.provider, "plan": stage.plan, "zone": stage.zone}
    return given | {"hostname": "web-01", "check_mode": False, "tags": ["web", "production"]}


@pytest.fixture
def worker_dies(monkeypatch, stage, step):
    """Play one step whose worker dies as it calls this method of the driver, just before or just after.

    Its lease then runs out.
    """

    def play(method, *, after):
        driver = DRIVERS[stage.provider]
        call = getattr(driver, method)

        def last_act(*args, **named):
            if after:
                call(*args, **named)
            raise Died

        with monkeypatch.context() as patched:
            patched.setattr(driver, method, last_act)
            with pytest.raises(Died):
                step()
        Operation.objects.unfinished().update(due_at=leases.in_seconds(-1))

    return play


@pytest.fixture
def cancel(api, alice):
    return lambda operation: api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()


@pytest.fixture
def delete(api, alice):
    """Ask for the deletion of the only server there is; answers the operation as JSON."""

    def ask(**body):
        answer = api(alice).delete(f"/v1/servers/{Server.objects.get().id}", body)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return ask


@pytest.fixture
def is_up(stage):
    """Whether there is one machine, only ever one, and the server knows it."""

    def look():
        server = Server.objects.get()
        log = list(Operation.objects.latest("created_at").events.values_list("message", flat=True))
        assert server.status == "running", log
        assert list(stage.refs()) == [server.ref]
        assert stage.creates() == 1
        return server

    return look


@pytest.fixture
def nothing_is_left(stage):
    """Whether all is gone, at the cloud and here."""

    def look():
        assert list(stage.refs()) == list(stage.disks()) == list(stage.leftovers()) == []
        assert not Server.objects.exists()

    return look
