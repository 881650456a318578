import pytest

from apps.operations import claims, runner
from apps.operations.models import Operation
from apps.servers.models import Server


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
        Operation.objects.unfinished().filter(lease_owner="").update(due_at=claims.in_seconds(-1))
        for lease in claims.claim(owner="the test's worker", most=10):
            runner.run(str(lease.operation_id), lease.fence)

    return run


@pytest.fixture
def shown(api, alice):
    """An operation as the API shows it."""
    return lambda operation: api(alice).get(f"/v1/operations/{operation['id']}").json()
