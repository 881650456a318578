"""The doctor's look at cloud accounts: asked over HTTP, with what they say kept to ourselves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.providers import probes
from apps.providers.models import Account
from apps.providers.services import register_account
from apps.system.doctor import examine
from tests.system.diagnosis import found

pytestmark = pytest.mark.django_db


@pytest.fixture
def register(cloud):
    def make(password="emulator", endpoint=cloud.url, **more):
        credentials = {"username": "emulator", "password": password}
        return register_account(provider="upcloud", name="default", endpoint=endpoint, credentials=credentials, **more)

    return make


def test_it_asks_each_account_in_use(register, workspace):
    register()
    register(workspace=workspace)
    Account.objects.create(provider="aws", name="off", enabled=False)
    said = "It answers, and takes the credentials."
    names = [finding.name for finding in examine() if finding.found == said]
    assert sorted(names) == ["account upcloud/default", "account upcloud/default in production"]


def test_it_says_that_credentials_are_wrong_and_shows_none(register):
    register(password="pass-word-of-mine")
    [(level, said, advice)] = found("accounts")
    assert level == "FAIL" and said.startswith("UpCloud does not accept the credentials of this account")
    assert "credentials" in advice and "pass-word-of-mine" not in said + advice


def test_it_says_that_a_cloud_cannot_be_reached(register):
    register(endpoint="http://127.0.0.1:1/1.3")
    [(level, said, _)] = found("accounts")
    assert (level, said) == ("FAIL", "UpCloud cannot be reached.")


def test_it_keeps_what_the_cloud_says_to_itself(register, cloud):
    register()
    cloud.respond_next(500, text="the cloud's own words", method="GET", path=".*")
    [(level, said, advice)] = found("accounts")
    assert level == "FAIL" and "own words" not in said + advice


def test_it_goes_on_when_a_cloud_hangs(register, cloud, monkeypatch):
    monkeypatch.setattr(probes, "ACCOUNT_SECONDS", 0.3)
    register()
    cloud.hang_next(2, method="GET", path=".*")
    [(level, said, _)] = found("accounts")
    assert (level, said) == ("FAIL", "No answer within 0.3 s.")


def test_it_says_that_credentials_cannot_be_opened(register, settings):
    register()
    settings.CREDENTIALS_KEYS = ["another"]
    [(level, said, _)] = found("accounts")
    assert level == "FAIL" and "cannot be opened with CREDENTIALS_KEYS" in said


def test_it_asks_no_cloud_when_told_to_stay_offline(register, cloud):
    register(password="wrong")
    assert not [finding for finding in examine(offline=True) if finding.name.startswith("account")]
    assert cloud.calls() == 0


def test_it_names_accounts_whose_catalogue_is_old(account):
    assert found("catalogues")[0][0] == "ok"
    Account.objects.update(refreshed_at=timezone.now() - timedelta(hours=4))
    [(level, said, advice)] = found("catalogues")
    assert level == "warn" and said.startswith("account upcloud/default was last read at ")
    assert "manage.py refresh_catalogue" in advice
    Account.objects.update(refreshed_at=None)
    assert found("catalogues")[0][1] == "account upcloud/default was last read never."
