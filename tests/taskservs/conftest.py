"""Servers that are up, without a cloud, and the means to go through an operation step by step."""

import pytest

from apps.operations import transitions
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.workspaces.models import Workspace


@pytest.fixture
def machine(workspace):
    """Return a server of a workspace; by default in `production` and running."""
    account = CloudAccount.objects.create(provider="upcloud", name="somewhere", endpoint="http://127.0.0.1:9/emulator")

    def make(hostname, *, place="production", status="running", emulated=True):
        where, _ = Workspace.objects.get_or_create(name=place, defaults={"path": f"/opt/workspaces/{place}"})
        facts = {"provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "ref": "", "ip_address": "10.0.0.1"}
        return Server.objects.create(
            workspace=where, account=account, hostname=hostname, status=status, emulated=emulated, **facts
        )

    return make


@pytest.fixture
def web_01(machine):
    return machine("web-01")


@pytest.fixture
def web_02(machine):
    return machine("web-02")


@pytest.fixture
def ask(api, alice):
    """Ask for a taskserv as alice; gives the answer."""

    def create(name="redis", servers=("web-01",), config=None, **more):
        body = {"workspace": "production", "name": name, "servers": list(servers), "config": config or {}, **more}
        return api(alice).post("/v1/taskservs/create", body)

    return create


@pytest.fixture
def install(ask, run_worker):
    """Install a taskserv as alice; gives its id."""

    def go(*args, **kwargs):
        answer = ask(*args, **kwargs)
        assert answer.status_code == 200, answer.content
        run_worker()
        operation = Operation.objects.get(pk=answer.json()["id"])
        assert operation.status == "completed", operation.error
        return operation.result["taskserv_id"]

    return go


@pytest.fixture
def change(api, alice):
    """Ask for a change as alice; gives the answer."""

    def post(id, verb="configure", **body):
        return api(alice).post(f"/v1/taskservs/{id}/{verb}", body)

    return post


@pytest.fixture
def changed(change, run_worker):
    """Change it, and give the result."""

    def go(id, verb="configure", **body):
        answer = change(id, verb, **body)
        assert answer.status_code == 200, answer.content
        run_worker()
        operation = Operation.objects.get(pk=answer.json()["id"])
        assert operation.status == "completed", operation.error
        return operation.result

    return go


@pytest.fixture
def step(db):
    """Play the worker for one step of one operation; `crash` loses what the step returned, as a killed worker does."""

    def go(answer, *, crash=False):
        operation = Operation.objects.get(pk=answer.json()["id"])
        Operation.objects.unfinished().update(due_at=leases.in_seconds(1000))
        Operation.objects.filter(pk=operation.pk).update(due_at=leases.in_seconds(-1))
        [lease] = leases.claim(owner="the test's worker", max_count=1)
        if crash:
            outcome = runner.call_handler(transitions.set_running(lease), lease)
            Operation.objects.filter(pk=operation.pk).update(due_at=leases.in_seconds(-1), lease_owner="")
            return outcome
        runner.run(str(lease.operation_id), lease.fence)
        operation.refresh_from_db()
        return operation

    return go


@pytest.fixture
def lines(db):
    """Return the messages of an operation's log."""

    def read(answer):
        return list(Operation.objects.get(pk=answer.json()["id"]).events.values_list("message", flat=True))

    return read
