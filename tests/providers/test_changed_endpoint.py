"""Stored credentials never go to an address that they were not given for."""

import pytest

from apps.operations.models import Operation
from apps.providers import services
from apps.providers.errors import CredentialsNeeded
from apps.system.encryption import unseal
from tests.console import act, browser, page, seeded
from tests.providers.test_secrets import credentials_of

OURS, THEIRS = "https://cloud.example.com", "https://attacker.example.com"


def made(provider):
    return services.create_account(
        provider=provider, name="mine", endpoint=OURS, credentials=credentials_of(provider), enabled=True
    )


def changed(account, **facts):
    known = {"name": account.name, "endpoint": account.endpoint, "workspace": None, "enabled": True}
    return services.change_account(account=account, **known | facts)


@pytest.mark.parametrize("provider", ["aws", "hetzner", "upcloud"])
@pytest.mark.parametrize("endpoint", [THEIRS, "", f"{OURS}/other", "http://127.0.0.1:9"])
def test_it_asks_for_the_credentials_again(provider, endpoint, db):
    account = made(provider)
    for given in (None, {}):
        with pytest.raises(CredentialsNeeded):
            changed(account, endpoint=endpoint, credentials=given)
    account.refresh_from_db()
    assert account.endpoint == OURS
    new = {name: value + "x" if name != "regions" else value for name, value in credentials_of(provider).items()}
    assert changed(account, endpoint=endpoint, credentials=new).endpoint == endpoint
    assert unseal(account.sealed_credentials, what=account) == new


def test_it_is_not_fooled_by_a_row_read_before(db):
    """What the database has counts, not what the caller believes."""
    account = made("upcloud")
    account.endpoint = THEIRS
    with pytest.raises(CredentialsNeeded):
        changed(account)


def test_it_keeps_the_credentials_of_an_unchanged_endpoint(db):
    account = made("upcloud")
    assert changed(account, name="renamed", credentials=None).name == "renamed"
    assert unseal(account.sealed_credentials, what=account) == credentials_of("upcloud")


def test_it_asks_in_the_admins_form_and_sends_nothing(db, cloud, run_worker):
    account = made("upcloud")
    client = browser(seeded("chief", "admin"))
    given = {"provider": "upcloud", "name": "mine", "enabled": "on", "endpoint": cloud.url}
    answer = client.post(page(account), given)
    assert "Give the credentials again" in answer.content.decode()
    account.refresh_from_db()
    assert account.endpoint == OURS
    given |= {"credential_upcloud_username": "emulator", "credential_upcloud_password": "emulator"}
    assert client.post(page(account), given).status_code == 302
    act(client, [account], "test_connection")
    run_worker()
    assert Operation.objects.get(kind="account.check").status == "completed"
