"""The doctor's look at cloud accounts: asked over HTTP, with what they say kept to ourselves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.providers import doctor_checks
from apps.providers.models import CloudAccount
from apps.providers.services import register_account
from apps.system.doctor import examine
from tests.providers.clouds.local import usable_engine
from tests.providers.empty_engine import serving_empty_engine
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
    CloudAccount.objects.create(provider="aws", name="off", enabled=False)
    text = "It answers, and takes the credentials."
    names = [finding.name for finding in examine() if finding.found == text]
    assert sorted(names) == ["account upcloud/default", "account upcloud/default in production"]


def test_it_says_that_credentials_are_wrong_and_shows_none(register):
    register(password="pass-word-of-mine")
    [(level, text, advice)] = found("accounts")
    assert level == "FAIL" and text.startswith("UpCloud does not accept the credentials of this account")
    assert "credentials" in advice and "pass-word-of-mine" not in text + advice


def test_it_says_that_a_cloud_cannot_be_reached(register):
    register(endpoint="http://127.0.0.1:1/1.3")
    [(level, text, _)] = found("accounts")
    assert (level, text) == ("FAIL", "UpCloud cannot be reached.")


def test_it_hides_what_the_cloud_says(register, cloud):
    register()
    cloud.respond_next(500, text="the cloud's own words", method="GET", path=".*")
    [(level, text, advice)] = found("accounts")
    assert level == "FAIL" and "own words" not in text + advice


def test_it_goes_on_when_a_cloud_hangs(register, cloud, monkeypatch):
    monkeypatch.setattr(doctor_checks, "ACCOUNT_SECONDS", 0.3)
    register()
    cloud.hang_next(2, method="GET", path=".*")
    [(level, text, _)] = found("accounts")
    assert (level, text) == ("FAIL", "No answer within 0.3 s.")


def test_it_says_that_credentials_cannot_be_opened(register, settings):
    register()
    settings.CREDENTIALS_KEYS = ["another"]
    [(level, text, _)] = found("accounts")
    assert level == "FAIL" and "cannot be opened with CREDENTIALS_KEYS" in text


def test_it_asks_no_cloud_when_offline(register, cloud):
    register(password="wrong")
    assert not [finding for finding in examine(offline=True) if finding.name.startswith("account")]
    assert cloud.calls() == 0


def test_it_names_accounts_whose_catalog_is_old(account):
    assert found("catalogs")[0][0] == "ok"
    CloudAccount.objects.update(refreshed_at=timezone.now() - timedelta(hours=4))
    [(level, text, advice)] = found("catalogs")
    assert level == "warn" and text.startswith("account upcloud/default was last read at ")
    assert "manage.py refresh_catalog" in advice
    CloudAccount.objects.update(refreshed_at=None)
    assert found("catalogs")[0][1] == "account upcloud/default was last read never."


# ── the container engine ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def empty_engine(monkeypatch):
    with serving_empty_engine() as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        yield


def test_it_finds_the_container_engine_and_its_image():
    usable_engine().close()
    assert found("engine") == [("ok", "It answers, and has the image that machines are made from.", "")]


def test_it_says_what_to_install_when_there_is_no_container_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    [(level, text, _)] = found("engine")
    assert level == "warn" and "Install Podman and start its API" in text


def test_it_says_how_to_make_the_image_of_machines(empty_engine):
    [(level, text, _)] = found("engine")
    assert level == "warn" and text.startswith("The container engine has no image debian-12")
    assert "`manage.py build_local_image`" in text


def test_it_fails_when_an_account_needs_the_engine_that_is_not_there(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    register_account(provider="local", name="default", endpoint="", credentials={})
    [(level, text, _)] = found("accounts")
    assert level == "FAIL" and "Install Podman and start its API" in text
