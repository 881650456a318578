"""Accounts whose clouds accept connections and never answer hold back nobody else, and say why they wait."""

import socket
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.providers.models import CloudAccount, Plan, Zone
from apps.providers.services import register_account
from apps.workspaces.models import Workspace
from tests.conftest import user
from tests.operations.fleet import eventually

pytestmark = pytest.mark.slow
CREDENTIALS = {"username": "somebody", "password": "secret"}


@pytest.fixture
def order(database, api):
    """Order so many servers in a workspace of their own, at an account whose cloud hangs; gives the operations."""
    alice = user("alice", "operator")
    with ExitStack() as stack:

        def make(place, count):
            silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            workspace = Workspace.objects.create(name=place, path=f"/opt/{place}")
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/emulator/1.3"
            account = register_account(
                provider="upcloud", name="default", endpoint=endpoint, credentials=CREDENTIALS, workspace=workspace
            )
            tomorrow = timezone.now() + timedelta(days=1)
            CloudAccount.objects.filter(pk=account.pk).update(refreshed_at=timezone.now(), listed_at=tomorrow)
            Plan.objects.create(account=account, name="1xCPU-1GB", cpus=1, memory_mib=1024, disk_gib=10)
            Zone.objects.create(account=account, name="de-fra1")
            body = {"workspace": place, "provider": "upcloud", "plan": "1xCPU-1GB", "zone": "de-fra1"}
            for number in range(count):
                answer = api(alice).post("/v1/servers/create", body | {"hostname": f"{place}-{number}"})
                assert answer.status_code == 200, answer.content
            return Operation.objects.filter(workspace=workspace)

        yield make


def begun(operations):
    return operations.exclude(started_at=None).count()


def test_an_account_that_hangs_keeps_no_other_waiting(fleet, order):
    crowd = order("crowd", 20)
    fleet.start(WORKERS="2", LEASE_SECONDS="30")
    eventually(lambda: begun(crowd) == 20, 30, "that all orders are looked at, while the first hangs")
    eventually(lambda: crowd.filter(status_message__contains="answers slowly").count() >= 18, 10)
    other = order("quiet", 1)
    eventually(lambda: begun(other) == 1, 20)
    waited = other.get().started_at - other.get().created_at
    assert waited.total_seconds() < 2
    eventually(lambda: crowd.filter(lease_owner="").count() >= 18, 10, "that those that wait hold no worker")


def test_accounts_known_not_to_work_have_one_worker_together(fleet, order):
    crowds = [order(f"crowd-{number}", 2) for number in range(3)]
    CloudAccount.objects.update(problem="UpCloud did not answer in time.")
    fleet.start(WORKERS="2", LEASE_SECONDS="30")
    eventually(lambda: all(begun(crowd) == 2 for crowd in crowds), 20, "that all orders are looked at")
    waiting = Operation.objects.filter(status_message__contains="UpCloud did not answer in time.", lease_owner="")
    eventually(lambda: waiting.count() >= 5, 10)
    assert not waiting.exclude(attempts=0).exists(), "waiting is no try"
