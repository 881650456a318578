"""The doctor's look at cloud accounts: asked over HTTP, with what they say kept to ourselves."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.utils import timezone

from apps.providers import probes
from apps.providers.models import Account
from apps.providers.services import register_account
from apps.system.doctor import examine
from tests.providers.clouds.local import usable_engine
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


# ── the container engine ──────────────────────────────────────────────────────────────────────────────────────────────
class Empty(BaseHTTPRequestHandler):
    """A container engine without any image."""

    answers = {"version": {"ApiVersion": "1.41"}, "info": {"NCPU": 2}, "json": []}

    def do_GET(self):
        content = json.dumps(self.answers[self.path.partition("?")[0].rpartition("/")[2]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def empty_engine(monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


def test_it_finds_the_container_engine_and_its_image():
    usable_engine().close()
    assert found("engine") == [("ok", "It answers, and has the image that machines are made from.", "")]


def test_it_says_what_to_install_when_there_is_no_container_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    [(level, said, _)] = found("engine")
    assert level == "warn" and "Install Podman and start its API" in said


def test_it_says_how_to_make_the_image_of_machines(empty_engine):
    [(level, said, _)] = found("engine")
    assert level == "warn" and said.startswith("The container engine has no image debian-12")
    assert "`manage.py build_local_image`" in said


def test_it_fails_when_an_account_needs_the_engine_that_is_not_there(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    register_account(provider="local", name="default", endpoint="", credentials={})
    [(level, said, _)] = found("accounts")
    assert level == "FAIL" and "Install Podman and start its API" in said
