"""Fixtures for all tests: alice is an operator, bob a viewer, charlie has no role; `run_worker` acts as the worker."""

import gc
import itertools
import time

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from apps.accounts.models import TokenFamily, User
from apps.accounts.services import issue
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.providers.services import register_account
from apps.workspaces.models import Workspace
from tests.providers.catalogs import read_catalog

pytest_plugins = [
    "tests.strict",
    "tests.database_only",
    "tests.spread",
    "tests.providers.emulator_fixtures",
    "tests.providers.clouds.fixtures",
    "tests.taskservs.machines",
    "tests.taskservs.playing",
    "tests.taskservs.role_runs",
]

PASSWORD = "correct-horse-battery-staple"


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Look for garbage less often, and never among the tests themselves: it was a tenth of a process's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def fast_settings(settings):
    """Hash quickly, and look for a static file when one is asked for: each test client would scan for all of them.

    The strength of the hash is Django's own to test; the scan is made by the web servers that tests start.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True


def user(name, role=None):
    person = User.objects.create_user(name, password=PASSWORD)
    if role:
        person.groups.add(Group.objects.get(name=role))
    return person


@pytest.fixture
def alice(db):
    return user("alice", "operator")


@pytest.fixture
def bob(db):
    return user("bob", "viewer")


@pytest.fixture
def charlie(db):
    return user("charlie")


@pytest.fixture
def dora(db):
    return user("dora", "developer")


@pytest.fixture(scope="session", autouse=True)
def own_var_dir(tmp_path_factory):
    """Keep this process's files away from those of others that run tests at the same time."""
    settings.VAR_DIR = tmp_path_factory.mktemp("var")
    settings.MEASUREMENTS = settings.VAR_DIR / settings.MEASUREMENTS.name


@pytest.fixture
def root(db):
    return user("root", "admin")


@pytest.fixture
def api():
    """Return a client that speaks as a user, or as nobody."""

    def client(person=None):
        caller = APIClient()
        if person:
            family = TokenFamily.objects.create(user=person, expires_at="2999-01-01T00:00:00Z")
            caller.credentials(HTTP_AUTHORIZATION=f"Bearer {issue(person, family.pk, family.current).token}")
        return caller

    return client


@pytest.fixture
def workspace(db):
    return Workspace.objects.create(name="production", path="/opt/workspaces/production", active=True)


@pytest.fixture
def run_worker(db):
    """Play the worker until nothing is due: waits and pauses pass at once, at most `rounds` of them.

    What it waits for at the cloud takes its time, so without `rounds` it goes on for so many seconds.
    """

    def run(rounds=None, seconds=60):
        ends = time.monotonic() + seconds
        for number in itertools.count():
            on_time = time.monotonic() < ends and number != rounds
            assert on_time, f"still unfinished: {list(Operation.objects.unfinished())}"
            Operation.objects.unfinished().filter(lease_owner="").update(due_at=leases.in_seconds(-0.01))
            claimed = leases.claim(owner="the test's worker", max_count=100)
            if not claimed:
                return
            for lease in claimed:
                runner.run(str(lease.operation_id), lease.fence)
            time.sleep(0.005 if number > 20 else 0)

    return run


@pytest.fixture
def account(cloud, workspace, run_worker):
    """An UpCloud account that reaches the emulator, its catalog known."""
    credentials = {"username": "emulator", "password": "emulator"}
    made = register_account(provider="upcloud", name="default", endpoint=cloud.url, credentials=credentials)
    read_catalog(made, run_worker)
    return made


@pytest.fixture
def body(account):
    """The reference's own example of a server."""
    return {
        "workspace": "production",
        "provider": "upcloud",
        "plan": "2xCPU-4GB",
        "hostname": "web-01",
        "zone": "de-fra1",
        "check_mode": False,
        "tags": ["web", "production"],
    }
