"""A provider that cannot be reached shows at once, whoever finds it out, and no longer than it lasts."""

import socket
import time

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.providers import doctor_checks, handlers, services
from apps.providers.errors import AccountUnusable
from apps.providers.models import CloudAccount
from apps.providers.services import change_account, refresh_all, refresh_catalog, register_account
from apps.providers.services.catalog import begin_reading
from apps.system.doctor import Level
from tests.console import browser, page, seeded
from tests.operations.fleet import eventually


@pytest.fixture
def nowhere():
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/emulator/1.3"


def moved(account, endpoint):
    """Let the account lead elsewhere, as when its cloud goes away."""
    CloudAccount.objects.filter(pk=account.pk).update(endpoint=endpoint)
    account.refresh_from_db()


def run_one_step():
    """Play the worker once; by SQLite's clock, of milliseconds, what was submitted just now is due in a moment."""
    [lease] = eventually(lambda: leases.claim(owner="the test's worker", max_count=1), 5, "a due operation")
    runner.run(str(lease.operation_id), lease.fence)


def upcloud(api, person):
    [found] = [one for one in api(person).get("/v1/providers").json() if one["name"] == "upcloud"]
    return found["available"], found["problem"]


def test_the_first_step_that_cannot_reach_it_shows_it(api, alice, body, account, nowhere):
    assert upcloud(api, alice) == (True, None)
    moved(account, nowhere)
    assert api(alice).post("/v1/servers/create", body).status_code < 300
    run_one_step()
    assert Operation.objects.get().status == "running", "it is tried again"
    assert upcloud(api, alice) == (False, "UpCloud cannot be reached.")
    assert "UpCloud cannot be reached." in browser(seeded("chief", "admin")).get(page(account)).content.decode()


def test_an_idle_account_is_asked_as_well(api, alice, account, cloud, nowhere):
    working = account.endpoint
    moved(account, nowhere)
    handlers.check_accounts()
    assert upcloud(api, alice) == (False, "UpCloud cannot be reached.")
    assert [finding.level for finding in doctor_checks.account_check(account, "it").look()] == [Level.FAIL]
    moved(account, working)
    handlers.check_accounts()
    assert upcloud(api, alice) == (True, None)


def test_refused_credentials_show_and_a_busy_cloud_does_not(api, alice, account, cloud):
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path="", times=None)
    handlers.check_accounts()
    assert upcloud(api, alice)[0] is False
    cloud.heal()
    handlers.check_accounts()
    cloud.refuse_next("SERVICE_ERROR", status=503, method="GET", path="", times=None)
    handlers.check_accounts()
    assert upcloud(api, alice) == (True, None)


@pytest.fixture
def silent():
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/emulator/1.3"


def test_accounts_that_never_answer_hold_up_neither_worker_nor_others(api, alice, account, silent, monkeypatch):
    monkeypatch.setattr(handlers, "CHECK_SECONDS", 2.0)
    now = timezone.now()
    for number in range(20):
        credentials = {"username": "emulator", "password": "emulator"}
        made = register_account(provider="upcloud", name=f"silent-{number}", endpoint=silent, credentials=credentials)
        CloudAccount.objects.filter(pk=made.pk).update(refreshed_at=now)
    CloudAccount.objects.filter(pk=account.pk).update(problem="It was away.")
    began = time.monotonic()
    handlers.check_accounts()
    assert time.monotonic() - began < 15, "one after the other, or until each has timed out, takes 30 s and more"
    account.refresh_from_db()
    assert account.problem == ""


def test_the_plans_of_an_account_that_does_not_work_are_read_once_it_works_again(account, nowhere):
    working = account.endpoint
    moved(account, nowhere)
    handlers.check_accounts()
    refresh_all()
    assert not Operation.objects.unfinished().exists(), "dead accounts occupy no worker"
    moved(account, working)
    for _ in range(2):
        handlers.check_accounts()
        assert Operation.objects.unfinished().get().target.endswith(f":{account.pk}")


def test_a_first_reading_is_queued_though_it_has_failed_before(account):
    CloudAccount.objects.filter(pk=account.pk).update(refreshed_at=None, problem="UpCloud cannot be reached.")
    refresh_all()
    assert Operation.objects.unfinished().count() == 1


def test_the_command_takes_a_reading_that_ends_as_it_asks_for_one(account, monkeypatch, capsys):
    under_way = refresh_catalog(account=account)

    def ending(**given):
        """Refuse as the service does; then the other reading ends, before anyone can look at it."""
        try:
            return refresh_catalog(**given)
        finally:
            Operation.objects.filter(pk=under_way.pk).update(status="completed", due_at=None)

    monkeypatch.setattr(services, "refresh_catalog", ending)
    call_command("refresh_catalog", wait=0)
    assert "1 account(s) read" in capsys.readouterr().out


def test_what_a_changed_account_said_before_is_no_news(account, nowhere):
    before = CloudAccount.objects.get(pk=account.pk)
    credentials = {"username": "another", "password": "another"}
    change_account(
        account=account, name="default", endpoint=nowhere, workspace=None, enabled=True, credentials=credentials
    )
    handlers.services.note_contact(before, problem="Its old cloud is gone.")
    account.refresh_from_db()
    assert account.problem == ""


def test_an_order_waits_for_a_first_reading_that_is_tried_again(account, nowhere):
    CloudAccount.objects.filter(pk=account.pk).update(refreshed_at=None)
    moved(account, nowhere)
    refresh_catalog(account=account)
    run_one_step()
    handlers.check_accounts()
    account.refresh_from_db()
    assert account.problem == "UpCloud cannot be reached."
    assert begin_reading(account) is False
    Operation.objects.unfinished().update(status="failed", due_at=None)
    with pytest.raises(AccountUnusable, match="cannot be reached"):
        begin_reading(account)
