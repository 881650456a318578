"""Ordering at an account whose plans, zones and images have not been read yet."""

import pytest

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.providers.services import REFRESH, register_account
from apps.servers.models import Server
from apps.servers.services import create_server


@pytest.fixture
def unread(account):
    """The account as it is in the first moments of a new installation."""
    for rows in (account.plans, account.zones, account.images):
        rows.all().delete()
    CloudAccount.objects.update(refreshed_at=None)
    return account


@pytest.fixture
def failed(run_worker):
    """The code and the message that the only creation failed with."""

    def outcome():
        run_worker()
        operation = Operation.objects.get(kind="server.create")
        assert operation.status == "failed"
        return operation.error_code, operation.error

    return outcome


def test_it_waits_for_the_plans_and_is_made(unread, create, shown, step, run_worker, cloud):
    operation = create()
    assert operation["status"] == "pending"
    run_worker()
    assert shown(operation)["status"] == "completed"
    server = Server.objects.get()
    assert (server.status, server.plan, server.size) == ("running", "2xCPU-4GB", "2xCPU-4GB")
    assert len(cloud.creates()) == 1


def test_the_plans_are_read_once_for_all_who_wait(unread, create, run_worker):
    for number in range(4):
        create(hostname=f"web-{number}")
    assert Operation.objects.filter(kind=REFRESH).count() == 1
    run_worker()
    assert Operation.objects.filter(kind=REFRESH).count() == 1
    assert Server.objects.filter(status="running").count() == 4


def test_it_says_what_it_waits_for(unread, create, cloud, step):
    cloud.respond_next(503, text="", method="GET", path=r"/plan$", times=9)
    create()
    step()
    step()
    note = Operation.objects.get(kind="server.create").status_message
    assert note.startswith("the plans of UpCloud are being read")
    assert "failed: UpCloud did not give a usable answer." in note


def test_it_reads_them_itself_when_the_reading_was_cancelled(unread, api, alice, create, run_worker):
    operation = create()
    reading = Operation.objects.get(kind=REFRESH)
    assert api(alice).post(f"/v1/operations/{reading.pk}/cancel").status_code == 200
    run_worker()
    assert api(alice).get(f"/v1/operations/{operation['id']}").json()["status"] == "completed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan": "2xCPU-4GX"}, "upcloud has no plan 2xCPU-4GX. Did you mean 2xCPU-4GB"),
        ({"zone": "de-fra9"}, "upcloud has no zone de-fra9. Did you mean de-fra1"),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_it_fails_by_what_the_plans_do_not_have(unread, create, failed, cloud, changes, message, check_mode):
    create(check_mode=check_mode, **changes)
    code, error = failed()
    assert code == "VALIDATION_ERROR"
    assert message in error
    assert set(Server.objects.values_list("status", flat=True)) == (set() if check_mode else {"failed"})
    assert cloud.creates() == []


def test_it_fails_by_an_image_that_there_is_not(unread, alice, body, failed, cloud):
    body.pop("check_mode")
    create_server(actor=alice, image="TempleOS", **body)
    assert failed()[0] == "VALIDATION_ERROR"
    assert cloud.creates() == []


def test_it_fails_where_the_account_does_not_work(unread, create, failed):
    credentials = {"username": "x", "password": "hush"}
    register_account(provider="upcloud", name="default", endpoint=unread.endpoint, credentials=credentials)
    create()
    code, message = failed()
    assert code == "SERVICE_UNAVAILABLE"
    assert "does not accept the credentials" in message


def test_check_mode_shows_the_price(unread, create, shown, run_worker):
    operation = create(check_mode=True)
    run_worker()
    assert shown(operation)["result"]["price"]["currency"] == "EUR"


def test_the_account_s_price_holds(unread, create, run_worker):
    CloudAccount.objects.update(max_monthly_price=60)
    for number in range(3):
        create(hostname=f"web-{number}")
    run_worker()
    states = Server.objects.order_by("status").values_list("status", flat=True)
    assert list(states) == ["failed", "running", "running"]
    refused = Operation.objects.get(kind="server.create", status="failed")
    assert "60.00 EUR a month" in refused.error


def test_the_number_of_its_servers_holds(unread, api, alice, create, body, run_worker):
    CloudAccount.objects.update(max_servers=1)
    create()
    assert api(alice).post("/v1/servers/create", body | {"hostname": "web-02"}).status_code == 409
    run_worker()
    assert Server.objects.get().status == "running"
