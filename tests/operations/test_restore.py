"""docs/backup.md, its commands run as they stand there, in the middle of a burst of creations."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from apps.operations.models import Operation
from apps.providers.services import refresh_catalog, register_account
from apps.servers.models import Server
from apps.servers.services import create_server
from apps.servers.services.drift import compare_account
from apps.workspaces.models import Workspace
from tests.operations.fleet import ROOT, eventually

MACHINES, BEFORE, AFTER = 40, 5, 20
BLOCKS = dict(re.findall(r"^```sh (\w+ \w+)\n(.*?)^```", (ROOT / "docs/backup.md").read_text(), re.M | re.S))


@pytest.fixture
def follow(fleet, database, tmp_path):
    """Run the commands of one block of the page in a folder that has `manage.py`."""
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    environment = fleet.environment | {"DATABASE_URL": database, "DATABASE_FILE": database.removeprefix("sqlite:///")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(name):
        connection.close()
        command = ["bash", "-euc", BLOCKS[f"{connection.vendor} {name}"]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.slow
def test_a_restore_in_a_burst_of_creations_doubles_no_machine(fleet, follow, cloud, ended):
    node = fleet.start()
    Workspace.objects.create(name="production", path="/opt/workspaces/production", active=True)
    credentials = {"username": "emulator", "password": "emulator"}
    account = register_account(provider="upcloud", name="default", endpoint=cloud.url, credentials=credentials)
    assert ended(refresh_catalog(account=account)).status == "completed"
    cloud.set(boot_seconds=2)
    what = {"workspace": "production", "provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1"}
    made = [create_server(actor=None, hostname=f"web-{number}", **what) for number in range(MACHINES)]
    eventually(lambda: len(cloud.creates()) >= BEFORE)
    follow("backup")
    ordered = len(cloud.creates())
    eventually(lambda: len(cloud.creates()) >= min(ordered + AFTER, MACHINES))
    node.crash()
    follow("restore")
    assert Server.objects.filter(ref="").count() > MACHINES - len(cloud.creates()), "nothing was forgotten"
    fleet.start()
    assert {operation.status for operation in ended(*made)} == {"completed"}
    assert len(cloud.servers()) == len(cloud.creates()) == MACHINES
    assert set(Server.objects.values_list("ref", flat=True)) == {machine["uuid"] for machine in cloud.servers()}
    compared = ended(compare_account(account=account))
    assert compared.result["orphans"] == [], Operation.objects.get(pk=compared.pk).error
