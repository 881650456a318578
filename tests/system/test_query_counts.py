"""What a request costs the database; BEGIN and COMMIT are counted where Django counts them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers.models import Orphan
from apps.workflows.models import FreezeWindow, Schedule, Step, Workflow
from apps.workspaces.models import Workspace
from tests.system.lists import make_servers

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_shows_a_server_in_two(api, bob, django_assert_max_num_queries):
    [server] = make_servers(1)
    caller = api(bob)
    with django_assert_max_num_queries(2):
        assert caller.get(f"/v1/servers/{server.pk}/status").status_code == 200


def test_it_creates_a_server_in_eight(api, alice, body, django_assert_max_num_queries):
    caller = api(alice)
    with django_assert_max_num_queries(8):
        assert caller.post("/v1/servers/create", body).status_code == 200


@pytest.mark.parametrize("path", ["/v1/servers/srv-000000/status", "/v1/operations", "/v1/workspaces?page=1"])
def test_it_asks_nothing_for_nobody(path, api, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert api().get(path).status_code == 401


def test_it_is_healthy_in_one(api, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert api().get("/health").status_code == 200


def add_to_lists(number):
    """Make a row of each list, which refers to rows that no other one refers to."""
    place = Workspace.objects.create(name=f"place-{number}", path=f"/opt/place-{number}")
    person = User.objects.create_user(f"person-{number}")
    account = CloudAccount.objects.create(provider="upcloud", name=f"account-{number}", workspace=place)
    Orphan.objects.create(account=account, ref=f"machine-{number}")
    now = timezone.now()
    times = {"starts_at": now, "ends_at": now + timedelta(hours=1)}
    FreezeWindow.objects.create(workspace=place, reason="Closed", created_by=person, **times)
    facts = {"workspace": place, "actor": person}
    Schedule.objects.create(name="nightly", workflow_type="cluster_create", cron="0 0 * * *", **facts)
    operation = Operation.objects.create(kind="workflow.run", due_at=now, **facts)
    asked = Operation.objects.create(kind="workflow.approve", due_at=now, parent=operation, **facts)
    workflow = Workflow.objects.create(operation=operation, type="cluster_create")
    step = {"name": "ask", "position": 0, "uses": "workflow.approve", "status": "running"}
    Step.objects.create(workflow=workflow, operation=asked, **step)


def test_lists_need_as_many_queries_for_30_rows_as_for_3(api, root):
    lists = ("/v1/orphans", "/v1/schedules", "/v1/freeze-windows", "/v1/workflows", "/v1/workflows?waiting=approval")
    paths = [*lists, *(f"{path}{'&' if '?' in path else '?'}page=1&per_page=100" for path in lists)]
    caller, costs = api(root), []
    for numbers in (range(3), range(3, 30)):
        for number in numbers:
            add_to_lists(number)
        found = {}
        for path in paths:
            with CaptureQueriesContext(connection) as captured:
                answer = caller.get(path)
            assert len(answer.json()) == numbers.stop, path
            found[path] = len(captured)
        costs.append(found)
    assert costs[0] == costs[1]
    assert max(costs[1].values()) <= 5, costs[1]
