"""What starting a process imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each takes long to import, and most processes never use it.
LATE = (
    *("botocore", "hcloud", "docker", "httpx", "requests", "pygments", "rich", "drf_spectacular.plumbing"),
    *("jsonschema", "referencing", "jinja2", "yaml", "cryptography", "re2", "uritemplate"),
    *("apps.providers.drivers.base", "apps.servers.handlers", "apps.taskservs.handlers", "apps.workflows.handlers"),
    *("apps.taskservs.ansible.runner", "apps.taskservs.ansible.playbook", "apps.emulator.views"),
    *("apps.providers.doctor_checks", "apps.taskservs.doctor_checks"),
    *("provisioning.admin_urls", "apps.servers.admin", "apps.workflows.admin", "unfold.admin"),
)
# What a worker's processes share, for it is imported before they are forked.
SHARED = (
    *("httpx", "jinja2", "jsonschema", "yaml", "cryptography.fernet", "apps.providers.drivers.upcloud.driver"),
    *("apps.servers.handlers.create", "apps.taskservs.handlers.create", "apps.workflows.handlers.run"),
    "apps.emulator.views",
)
PROGRAM = """
import sys
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
print(*sys.modules)
"""


def run(program):
    facts = {"DATABASE_URL": "sqlite:///unused", "DJANGO_SETTINGS_MODULE": "provisioning.settings"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | facts, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def imported():
    """Return what is imported by a process that has read the settings and the URLs, on SQLite."""
    return set(run(PROGRAM).split())


@pytest.mark.parametrize("name", [*LATE, "psycopg"])
def test_it_imports_late_what_few_processes_use(name, imported):
    assert "apps.servers.api.views" in imported
    assert name not in imported


def test_workers_share_what_they_use():
    program = f"{PROGRAM}\nfrom apps.system.forked_process import import_shared\nimport_shared()\nprint(*sys.modules)"
    imported = set(run(program).splitlines()[-1].split())
    assert set(SHARED) - imported == set()


def test_what_is_hidden_while_it_starts_can_be_imported_afterwards():
    run(
        PROGRAM
        + "import requests, pygments, yaml, uritemplate, django.contrib.postgres.fields, gc; assert gc.isenabled()"
    )
