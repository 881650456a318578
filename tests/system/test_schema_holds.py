"""`/v1/schema` and what the service does are held to each other by Schemathesis, over HTTP, with fixed data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from apps.accounts.models import TokenFamily
from apps.accounts.services import issue
from apps.servers.models import Server
from tests.system.service import service
from tests.system.test_limits import database_url

pytestmark = pytest.mark.django_db(transaction=True)
BIN, CONFIG = Path(sys.executable).parent, Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


def run(root, tmp_path, *options):
    """Run all checks as root against a web process on this test's database."""
    family = TokenFamily.objects.create(user=root, expires_at="2999-01-01T00:00:00Z")
    token = issue(root, family.pk, family.current).token
    with service(DATABASE_URL=database_url(), SECRET_KEY=settings.SECRET_KEY) as port:
        command = [BIN / "schemathesis", "--config-file", CONFIG, "run", f"http://127.0.0.1:{port}/v1/schema"]
        command += ["--header", f"Authorization: Bearer {token}", "--checks", "all", "--generation-deterministic"]
        command += ["--exclude-path", "/v1/auth/logout", "--no-color", *options]  # it would end the token
        environment = os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)}
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500, env=environment
        )


@pytest.mark.slow
def test_it_does_what_its_schema_says_of_queries(root, workspace, tmp_path):
    options = ("--phases", "coverage", "--include-path-regex", "^/v1/(servers|taskservs)$", "--exclude-method", "POST")
    done = run(root, tmp_path, *options)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]


@pytest.fixture
def known(account, workspace):
    """What the hooks name: a workspace, an account whose catalog is known, and a server."""
    facts = {"provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "status": Server.Status.RUNNING}
    Server.objects.create(id="srv-1", hostname="web-01", workspace=workspace, account=account, **facts)


@pytest.mark.slow
def test_it_does_what_its_schema_says_for_every_edge_of_every_field(root, known, tmp_path):
    done = run(root, tmp_path, "--phases", "examples,coverage")
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_it_does_what_its_schema_says_of_made_up_changes(root, known, tmp_path):
    methods = [word for name in ("POST", "PUT", "PATCH", "DELETE") for word in ("--include-method", name)]
    done = run(root, tmp_path, "--phases", "fuzzing", "--max-examples", "5", *methods)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
