"""Provider accounts in the admin site."""

import pytest
from django.contrib.admin.models import LogEntry

from apps.operations.models import Operation
from apps.providers.models import CloudAccount, Plan
from apps.system.encryption import unseal
from tests.console import act, browser, listing, page, seeded, shown_messages, staff

SECRET = "k3v9-very-secret"
USERNAME, PASSWORD, TOKEN = (f"credential_upcloud_{name}" for name in ("username", "password", "token"))
EMPTY = {USERNAME: "", PASSWORD: ""}
ADD = "/admin/providers/cloudaccount/add/"


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def form(**facts):
    known = {"provider": "upcloud", "name": "second", "workspace": "", "endpoint": "https://api.upcloud.com/1.3"}
    return known | {"enabled": "on", USERNAME: "api", PASSWORD: f"{SECRET}=="} | facts


def errors(answer):
    return dict(answer.context["adminform"].form.errors)


def test_it_creates_an_account_and_seals_its_credentials(chief):
    answer = browser(chief).post(ADD, form(), follow=True)
    made = CloudAccount.objects.get()
    assert (made.provider, made.name, made.workspace, made.enabled) == ("upcloud", "second", None, True)
    assert SECRET not in made.sealed_credentials
    assert unseal(made.sealed_credentials, what=made) == {"username": "api", "password": f"{SECRET}=="}
    assert SECRET not in answer.content.decode()


def test_it_never_shows_credentials(chief):
    client = browser(chief)
    client.post(ADD, form())
    made = CloudAccount.objects.get()
    addresses = [listing(CloudAccount), page(made), page(made).replace("change", "history")]
    pages = [client.get(address).content.decode() for address in addresses]
    pages.append(client.post(ADD, form(endpoint="no url")).content.decode())
    pages.append(client.post(ADD, form(**EMPTY | {USERNAME: SECRET})).content.decode())
    pages += [str(entry.change_message) for entry in LogEntry.objects.all()]
    assert not [html for html in pages if SECRET in html or made.sealed_credentials in html]


def test_it_keeps_the_credentials_when_none_are_given(chief, account):
    before = account.sealed_credentials
    answer = browser(chief).post(page(account), form(name="renamed", enabled="", endpoint=account.endpoint, **EMPTY))
    assert answer.status_code == 302, answer.context["errors"]
    account.refresh_from_db()
    assert (account.name, account.enabled, account.sealed_credentials) == ("renamed", False, before)


def test_it_replaces_credentials(chief, account):
    browser(chief).post(page(account), form(**EMPTY, **{TOKEN: "abc"}))
    account.refresh_from_db()
    assert unseal(account.sealed_credentials, what=account) == {"token": "abc"}


def test_it_does_not_move_an_account_to_another_provider(chief, account):
    browser(chief).post(page(account), form(provider="aws"))
    account.refresh_from_db()
    assert account.provider == "upcloud"


@pytest.mark.parametrize(
    "facts",
    [{"provider": "no-such"}, {"name": ""}, {"endpoint": "ftp:x"}, {PASSWORD: ""}, {TOKEN: "abc"}],
)
def test_it_refuses_what_cannot_be(chief, facts):
    answer = browser(chief).post(ADD, form(**facts))
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == list(facts)
    assert not CloudAccount.objects.exists()


def test_it_asks_for_each_credential_at_its_field(chief):
    client = browser(chief)
    assert list(errors(client.post(ADD, form(**EMPTY)))) == [TOKEN]
    fields = [f"credential_aws_{name}" for name in ("access_key_id", "secret_access_key", "regions")]
    answer = client.post(ADD, form(provider="aws", endpoint="", **{fields[0]: "AKIA"}))
    assert list(errors(answer)) == fields[1:]


def test_it_leaves_out_what_was_typed_for_another_provider(chief):
    browser(chief).post(ADD, form(provider="hetzner", endpoint="", credential_hetzner_token=SECRET))
    made = CloudAccount.objects.get()
    assert unseal(made.sealed_credentials, what=made) == {"token": SECRET}


def test_it_asks_for_the_credentials_again_where_the_endpoint_is_new(chief, account):
    before = account.sealed_credentials
    answer = browser(chief).post(page(account), form(endpoint="https://other.example/1.3", **EMPTY))
    assert list(errors(answer)) == [TOKEN]
    account.refresh_from_db()
    assert account.sealed_credentials == before


def test_it_shows_the_credential_fields_of_the_accounts_provider_only(chief, account):
    html = browser(chief).get(page(account)).content.decode()
    assert TOKEN in html and "credential_hetzner_token" not in html


def test_it_refuses_a_second_account_of_a_name(chief, account):
    answer = browser(chief).post(ADD, form(name=account.name))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert CloudAccount.objects.count() == 1


def test_it_reads_plans_and_zones_through_an_operation(chief, account, run_worker):
    Plan.objects.all().delete()
    client = browser(chief)
    assert "Queued: " in shown_messages(act(client, [account], "read_catalog"))[0]
    assert (
        "“Read the plans and zones of UpCloud” is under way"
        in shown_messages(act(client, [account], "read_catalog"))[0]
    )
    assert Operation.objects.get().actor == chief
    run_worker()
    assert Plan.objects.exists()


def test_it_is_only_for_those_who_may_change_accounts(account):
    client = browser(staff("reader", "server_read", "operation_read", "workspace_read"))
    assert client.get(page(account)).status_code == 403
    assert client.post(ADD, form()).status_code == 403
    act(client, [account], "read_catalog")
    assert not Operation.objects.exists()
