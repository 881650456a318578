"""Provider accounts in the admin site."""

import pytest
from django.contrib.admin.models import LogEntry

from apps.operations.models import Operation
from apps.providers.models import Account, Plan
from apps.system.vault import unseal
from tests.console import act, browser, listing, page, said, seeded, staff

SECRET = "k3v9-very-secret"
ADD = "/admin/providers/account/add/"


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def form(**facts):
    known = {"provider": "upcloud", "name": "second", "workspace": "", "endpoint": "https://api.upcloud.com/1.3"}
    return known | {"enabled": "on", "credentials": f"username=api\npassword={SECRET}=="} | facts


def test_it_creates_an_account_and_seals_its_credentials(chief):
    answer = browser(chief).post(ADD, form(), follow=True)
    made = Account.objects.get()
    assert (made.provider, made.name, made.workspace, made.enabled) == ("upcloud", "second", None, True)
    assert SECRET not in made.sealed_credentials
    assert unseal(made.sealed_credentials, what=made) == {"username": "api", "password": f"{SECRET}=="}
    assert SECRET not in answer.content.decode()


def test_it_never_shows_credentials(chief):
    client = browser(chief)
    client.post(ADD, form())
    made = Account.objects.get()
    addresses = [listing(Account), page(made), page(made).replace("change", "history")]
    pages = [client.get(address).content.decode() for address in addresses]
    pages.append(client.post(ADD, form(endpoint="no url")).content.decode())
    pages.append(client.post(ADD, form(credentials=SECRET)).content.decode())
    pages += [str(entry.change_message) for entry in LogEntry.objects.all()]
    assert not [html for html in pages if SECRET in html or made.sealed_credentials in html]


def test_it_keeps_the_credentials_when_none_are_given(chief, account):
    before = account.sealed_credentials
    answer = browser(chief).post(page(account), form(name="renamed", credentials="", enabled=""))
    assert answer.status_code == 302, answer.context["errors"]
    account.refresh_from_db()
    assert (account.name, account.enabled, account.sealed_credentials) == ("renamed", False, before)


def test_it_replaces_credentials(chief, account):
    browser(chief).post(page(account), form(credentials="token=abc"))
    account.refresh_from_db()
    assert unseal(account.sealed_credentials, what=account) == {"token": "abc"}


def test_it_does_not_move_an_account_to_another_provider(chief, account):
    browser(chief).post(page(account), form(provider="aws"))
    account.refresh_from_db()
    assert account.provider == "upcloud"


@pytest.mark.parametrize(
    "facts",
    [{"provider": "no-such"}, {"name": ""}, {"endpoint": "ftp:x"}, {"credentials": ""}, {"credentials": "password"}],
)
def test_it_refuses_what_cannot_be(chief, facts):
    answer = browser(chief).post(ADD, form(**facts))
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == list(facts)
    assert not Account.objects.exists()


def test_it_refuses_a_second_account_of_a_name(chief, account):
    answer = browser(chief).post(ADD, form(name=account.name))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert Account.objects.count() == 1


def test_it_reads_plans_and_zones_through_an_operation(chief, account, run_worker):
    Plan.objects.all().delete()
    client = browser(chief)
    assert "queued" in said(act(client, [account], "read_catalogue"))[0]
    assert "is held by operation" in said(act(client, [account], "read_catalogue"))[0]
    assert Operation.objects.get().actor == chief
    run_worker()
    assert Plan.objects.exists()


def test_it_is_only_for_those_who_may_change_accounts(account):
    client = browser(staff("reader", "server_read", "operation_read", "workspace_read"))
    assert client.get(page(account)).status_code == 403
    assert client.post(ADD, form()).status_code == 403
    act(client, [account], "read_catalogue")
    assert not Operation.objects.exists()
