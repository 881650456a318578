"""Workflows and schedules on real workers that are killed: nothing is left behind, lost or done twice."""

from copy import deepcopy
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.providers.services import refresh_catalog, register_account
from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from apps.workflows.definition import RUN, parse
from apps.workflows.definitions import definitions
from apps.workflows.models import FIRE, Schedule, Workflow
from apps.workspaces.services import create_workspace
from tests.conftest import user
from tests.operations.fleet import eventually

pytestmark = pytest.mark.slow
KILLS = 6
SCHEDULES = 10
STEPS = ["server[0]", "server[1]", "taskserv"]


@pytest.fixture
def place(database):
    return create_workspace(name="production", path="/opt/workspaces/production", activate=True)


@pytest.fixture
def client(api, place):
    """An operator, by the API."""
    return api(user("alice", "operator"))


@pytest.fixture
def account(place, cloud, fleet, ended):
    """An account at the emulated cloud, whose catalog the workers have read."""
    credentials = {"username": "emulator", "password": "emulator"}
    made = register_account(provider="upcloud", name="default", endpoint=cloud.url, credentials=credentials)
    fleet.start()
    assert ended(refresh_catalog(account=made)).status == "completed"
    return made


@pytest.fixture
def breakable():
    """`cluster_create` with a parameter that lets its last step be refused, which is known too late to be foreseen."""
    raw = deepcopy(definitions()["cluster_create"].raw)
    raw["parameters"]["properties"]["breaks"] = {"type": "string", "default": ""}
    wrong = "{{ steps.server.result[0].ip_address if parameters.breaks == 'taskserv' else '7.0' }}"
    raw["steps"][1]["with"]["config"] = {"version": wrong}
    definitions()["breakable"] = parse(raw)
    yield "breakable"
    del definitions()["breakable"]


def submitted(client, path, body):
    answer = client.post(path, body)
    assert answer.status_code == 200, answer.content
    return Operation.objects.get(pk=answer.json()["id"])


def ended_among_kills(fleet, ended, operations):
    """Kill workers at random while operations go on; gives the operations as they have ended."""
    left = Operation.objects.unfinished().filter(pk__in=[each.pk for each in operations])
    for _ in range(KILLS):
        if not left.exists():
            break
        fleet.kill_any_worker()
        fleet.nodes[0].settled()
    return ended(*operations)


def hostnames(cloud):
    return sorted(server["hostname"] for server in cloud.servers())


def test_a_failure_at_each_step_is_taken_back_and_resumed_though_workers_are_killed(
    fleet, cloud, account, breakable, client, ended
):
    begun = []
    for number, breaks in enumerate(STEPS):
        if breaks != "taskserv":
            hostname = f"c{number}-{STEPS.index(breaks) + 1}"
            cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE", body=hostname, times=None)
        parameters = {"cluster_name": f"c{number}", "node_count": 2, "taskserv": "redis", "breaks": breaks}
        body = {"workspace": "production", "workflow_type": breakable, "parameters": parameters}
        begun.append(submitted(client, "/v1/workflows/submit", body))
    for breaks, operation in zip(STEPS, ended_among_kills(fleet, ended, begun), strict=True):
        assert operation.status == "failed" and operation.error.startswith(f"Step {breaks} failed: "), operation.error
    assert (cloud.servers(), Server.objects.count(), Taskserv.objects.count()) == ([], 0, 0)

    cloud.control("DELETE", "faults")
    again = [
        submitted(client, f"/v1/workflows/{operation.pk}/resume", {"parameters": {"breaks": ""}}) for operation in begun
    ]
    assert {each.error for each in ended_among_kills(fleet, ended, again)} == {None}
    wanted = [f"c{number}-{server}" for number in range(3) for server in (1, 2)]
    assert hostnames(cloud) == sorted(Server.objects.values_list("hostname", flat=True)) == wanted
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"running"} and Taskserv.objects.count() == 3


def test_each_time_of_a_schedule_comes_once_on_two_nodes_and_over_a_restart(fleet, client):
    pauses = {"name": "pauses", "text": "title: A pause\nsteps: [{name: a, wait: {for: 0.01}}]\n"}
    assert client.post("/v1/workflows/definitions", pauses).status_code == 200
    body = {"workspace": "production", "workflow_type": "pauses", "cron": "0 4 * * *", "time_zone": "UTC"}
    for number in range(SCHEDULES):
        assert client.post("/v1/schedules", {**body, "name": f"schedule-{number}"}).status_code == 200
    fleet.start(2)
    let_come()
    eventually(lambda: completed() == SCHEDULES, what="each schedule's first time")
    for node in fleet.nodes:
        node.stop()
    fleet.nodes.clear()
    let_come()  # while nobody works
    fleet.start(2)
    eventually(lambda: completed() == 2 * SCHEDULES, what="each schedule's second time")
    fires = set(Schedule.objects.values_list("fire", flat=True))
    eventually(lambda: set(Operation.objects.unfinished().values_list("pk", flat=True)) == fires, what="rest")
    assert (Workflow.objects.count(), len(fires)) == (2 * SCHEDULES, SCHEDULES)


def let_come():
    """Let the next time of all schedules have come a second ago."""
    at = timezone.now() - timedelta(seconds=1)
    for operation in Operation.objects.filter(kind=FIRE, due_at__isnull=False):
        params = {**operation.params, "at": at.isoformat()}
        Operation.objects.filter(pk=operation.pk).update(due_at=at, params=params)


def completed():
    return Operation.objects.filter(kind=RUN, status="completed").count()
