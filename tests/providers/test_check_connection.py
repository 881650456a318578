"""Testing an account's connection, and what any question to the cloud tells of the account."""

import pytest

from apps.operations.models import Operation
from apps.providers import services
from tests.console import act, browser, page, seeded, shown_messages

AUTH = {"status": 401, "method": "GET", "path": "", "times": None}


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


@pytest.fixture
def ask(account, run_worker):
    """Ask the cloud by an operation and return it, the account read again."""

    def done(submit):
        operation = submit(account=account)
        run_worker()
        operation.refresh_from_db()
        account.refresh_from_db()
        return operation

    return done


@pytest.mark.parametrize("submit", [services.check_account, services.refresh_catalog])
def test_it_keeps_why_an_account_does_not_work_until_it_does(submit, ask, account, cloud):
    cloud.refuse_next("AUTHENTICATION_FAILED", **AUTH)
    failed = ask(submit)
    assert (failed.status, failed.error_code) == ("failed", "PROVIDER_AUTH")
    assert account.problem == failed.error and account.is_stale
    first = account.checked_at
    cloud.heal()
    assert ask(submit).status == "completed"
    assert account.problem == "" and not account.is_stale
    assert account.checked_at > first


def test_it_changes_nothing_at_the_cloud(ask, cloud):
    before = cloud.calls(), cloud.events()
    assert ask(services.check_account).result == {"account": "upcloud/default", "works": True}
    assert cloud.calls() == before[0] + 1
    assert cloud.events() == before[1]


def test_it_learns_nothing_from_a_question_that_was_cancelled(api, alice, account):
    operation = services.check_account(account=account)
    before = account.checked_at
    assert api(alice).post(f"/v1/operations/{operation.pk}/cancel").status_code == 200
    account.refresh_from_db()
    assert (account.checked_at, account.problem) == (before, "")


def test_it_is_a_button_of_the_admin(chief, account, cloud, run_worker):
    client = browser(chief)
    cloud.refuse_next("AUTHENTICATION_FAILED", **AUTH)
    [message] = shown_messages(act(client, [account], "test_connection"))
    assert message.startswith("Queued: ") and ">Test UpCloud</a>" in message
    assert Operation.objects.get().actor == chief
    run_worker()
    html = client.get(page(account)).content.decode()
    assert "Test connection" in html
    assert Operation.objects.get().error in html


def test_an_operator_neither_sees_nor_tests_nor_changes_accounts(account):
    client = browser(seeded("olga", "operator"))
    assert client.get(page(account)).status_code in (302, 403)
    assert client.post(page(account), {"endpoint": "https://example.org"}).status_code in (302, 403)
    act(client, [account], "test_connection")
    assert not Operation.objects.exists()
    before = account.endpoint
    account.refresh_from_db()
    assert account.endpoint == before
