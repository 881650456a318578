import pytest

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.servers.models import Server
from apps.servers.services import listing

HARD = {"stop": {"stop_server": {"stop_type": "hard"}}, "restart": {"restart_server": {"stop_type": "hard"}}}


@pytest.fixture
def create(api, alice, body):
    """Ask for a server; answers the operation as JSON."""

    def ask(**changes):
        answer = api(alice).post("/v1/servers/create", {**body, **changes})
        assert answer.status_code == 200, answer.content
        return answer.json()

    return ask


@pytest.fixture
def up(create, run_worker):
    """A server that runs."""

    def make(**changes):
        create(**changes)
        run_worker()
        server = Server.objects.latest("created_at")
        assert server.status == "running", list(Operation.objects.latest("created_at").events.values("message"))
        return server

    return make


@pytest.fixture
def step():
    """Play one step of whatever is due, waits passing at once."""

    def run():
        Operation.objects.unfinished().filter(lease_owner="").update(due_at=leases.in_seconds(-1))
        for lease in leases.claim(owner="the test's worker", max_count=10):
            runner.run(str(lease.operation_id), lease.fence)

    return run


@pytest.fixture
def shown(api, alice):
    """An operation as the API shows it."""
    return lambda operation: api(alice).get(f"/v1/operations/{operation['id']}").json()


@pytest.fixture
def switch(api, alice):
    """Ask for a start, stop or reboot."""
    return lambda verb, server, body=None: api(alice).post(f"/v1/servers/{getattr(server, 'id', server)}/{verb}", body)


@pytest.fixture
def stopped(up, switch, run_worker):
    """A server that was stopped."""
    server = up()
    switch("stop", server)
    run_worker()
    server.refresh_from_db()
    assert server.status == "stopped"
    return server


@pytest.fixture
def outside(cloud):
    """Stop, start or restart a machine past the service."""

    def change(server, verb):
        cloud.request("POST", f"/server/{server.ref}/{verb}", json=HARD.get(verb, {"server": {}})).raise_for_status()

    return change


@pytest.fixture
def log():
    """What the newest operation has logged, as one text."""
    return lambda: "\n".join(Operation.objects.latest("created_at").events.values_list("message", flat=True))


@pytest.fixture
def quick_looks(monkeypatch):
    """Let each poll list the machines: the rounds of a test pass faster than the second between two lists."""
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0)
