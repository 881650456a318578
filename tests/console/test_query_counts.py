"""What lists cost the database: the same for 3 rows as for 30."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.operations.models import Operation
from apps.providers.models import CloudAccount, Plan, Zone
from apps.servers.models import Orphan
from apps.system.models import SavedView
from apps.workflows.models import FreezeWindow, Schedule, WorkflowDefinition
from apps.workspaces.models import Workspace
from tests.console import browser, listing, seeded

PRICES = {"de-fra1": {"currency": "EUR", "hourly": "0.01", "monthly": "5"}}


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


@pytest.fixture
def add(chief):
    """Return a function that makes a row of each list, each with related rows of its own."""

    def made(number):
        place = Workspace.objects.create(name=f"place-{number}", path=f"/opt/place-{number}")
        account = CloudAccount.objects.create(provider="upcloud", name=f"account-{number}", workspace=place)
        Plan.objects.create(account=account, name="small", cpus=1 + number, memory_mib=1024, disk_gib=10, prices=PRICES)
        Zone.objects.create(account=account, name="de-fra1")
        Orphan.objects.create(account=account, ref=f"machine-{number}")
        person = User.objects.create_user(f"person-{number}")
        Schedule.objects.create(
            workspace=place, name="nightly", workflow_type="cluster_create", cron="0 0 * * *", actor=person
        )
        times = {"starts_at": timezone.now(), "ends_at": timezone.now() + timedelta(hours=1)}
        FreezeWindow.objects.create(workspace=place, reason="Closed", created_by=person, **times)
        WorkflowDefinition.objects.create(name=f"type_{number}", version=1, text="steps: []", uploaded_by=person)
        facts = {"params": {"hostname": f"web-{number}"}, "status": "completed", "due_at": None}
        Operation.objects.create(kind="server.delete", target=f"server:srv-{number}", **facts)
        SavedView.objects.create(user=chief, list_name="workflows.schedule", name=f"view-{number}", query="o=-1")

    return made


def test_each_list_asks_as_many_queries_for_30_rows_as_for_3(chief, add):
    models = (Workspace, CloudAccount, Plan, Zone, Orphan, User, Schedule, FreezeWindow, WorkflowDefinition, Operation)
    addresses = [*map(listing, models), "/admin/providers/plan/compare/"]
    client, costs = browser(chief), []
    for numbers in (range(3), range(3, 30)):
        for number in numbers:
            add(number)
        found = {}
        for address in addresses:
            client.get(address)  # content types are read once a process
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            found[address] = len(captured)
        costs.append(found)
    assert costs[0] == costs[1]
    assert max(costs[1].values()) <= 11, costs[1]
