"""Upgrading a cluster and rolling a taskserv out, on real machines: one server after the other, verified between."""

import os

import pytest

from apps.operations.models import Event
from apps.providers.services import register_account
from apps.servers.models import Server
from apps.taskservs.models import Installation, Taskserv
from apps.workflows.models import Step
from tests.providers.catalogs import read_catalog
from tests.providers.clouds.local import clear, usable_engine
from tests.ssh import Client
from tests.taskservs.playing import role, shell

pytestmark = pytest.mark.slow
INSTALLATION = f"upgrades-{os.getpid()}"
ENTRY = """
name: {name}
title: A beacon
description: Writes its version down.
category: system
versions: ["1", "2"]
default_version: "1"
systems: [debian-12]
servers: {{min: 1, max: 9}}
roles: [server]
requires: []
conflicts: []
endpoints: []
needs: []
options: {{}}
"""


@pytest.fixture
def engine(settings):
    settings.INSTALLATION = INSTALLATION
    found = usable_engine()
    yield found
    clear(found, INSTALLATION)


@pytest.fixture(autouse=True)
def catalog(settings, tmp_path):
    """Two small taskservs that cannot be installed where there is a file `/etc/NAME-full`."""
    for name in ("beacon", "lamp"):
        files = {
            "install": [shell("Look for space", f"test ! -e /etc/{name}-full"), shell("Write", write(name))],
            "configure": [],
            "start": [],
            "verify": [shell("Read", f"grep -x {{{{ {name}_version }}}} /etc/{name}", changed_when=False)],
            "remove": [shell("Remove", f"rm -f /etc/{name}")],
        }
        folder = tmp_path / "catalog" / name
        role(tmp_path / "catalog", name, **files)
        (folder / "taskserv.yaml").write_text(ENTRY.format(name=name))
        (folder / "defaults").mkdir()
        (folder / "defaults" / "main.yml").write_text(f'{name}_version: "1"\n')
    settings.TASKSERV_PATHS = [str(tmp_path / "catalog")]


def write(name):
    return f"echo {{{{ {name}_version }}}} >/etc/{name}"


@pytest.fixture
def finish(engine, ansible, api, alice, workspace, run_worker):
    """Post a request for a workflow, work until it has ended, and return its operation."""
    account = register_account(provider="local", name="default", endpoint="", credentials={})
    read_catalog(account, run_worker)

    return lambda path, body: ansible.finish(api(alice).post(path, body))


@pytest.fixture
def run(finish):
    """Submit a workflow, work until it has ended, and return its operation."""

    def submitted(type, **parameters):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters}
        return finish("/v1/workflows/submit", body)

    return submitted


def versions():
    rows = Installation.objects.filter(taskserv__name="beacon").order_by("position")
    return {row.server.hostname: row.version for row in rows}


def work(operation):
    """What was done on which server, in order."""
    events = Event.objects.filter(operation=operation).order_by("seq")
    done = [f"{each.data['server']}: {each.data['task']}" for each in events if "task" in each.data]
    return [each for each in done if not each.endswith("Gathering Facts")]


def test_an_upgrade_stops_at_the_first_failure_and_goes_on_when_resumed(run, finish, workspace, tmp_path):
    local = {"provider": "local", "plan": "1xCPU-1GB", "zone": "local"}
    made = run("cluster_create", cluster_name="b", node_count=3, taskserv="beacon", **local)
    assert made.status == "completed", made.error
    servers = {server.hostname: server for server in Server.objects.all()}
    ssh = Client.of(workspace, tmp_path)
    ssh.run(servers["b-2"], "touch /etc/beacon-full")

    failed = run("cluster_upgrade", cluster_name="b", version="2")
    assert failed.status == "failed" and "b-2" in failed.error and "Look for space" in failed.error
    assert versions() == {"b-1": "1", "b-2": "1", "b-3": "2"}
    assert [ssh.run(server, "cat /etc/beacon") for _, server in sorted(servers.items())] == ["1", "1", "2"]
    upgrade = Step.objects.get(workflow=failed.pk, name="upgrade").operation
    assert work(upgrade) == ["b-3: Look for space", "b-3: Write", "b-3: Read", "b-2: Look for space"]

    ssh.run(servers["b-2"], "rm /etc/beacon-full")
    resumed = finish(f"/v1/workflows/{failed.pk}/resume", {})
    assert resumed.status == "completed", resumed.error
    upgrade = Step.objects.get(workflow=resumed.pk, name="upgrade").operation
    rest = ("Look for space", "Write", "Read")
    assert work(upgrade) == [f"{server}: {task}" for server in ("b-2", "b-1") for task in rest]
    assert set(versions().values()) == {"2"}

    # a rollout stops behind its canary
    ssh.run(servers["b-1"], "touch /etc/lamp-full")
    failed = run("taskserv_rollout", taskserv="lamp", servers=["b-1", "b-2"])
    assert failed.status == "failed" and ssh.tried(servers["b-2"], "cat /etc/lamp").returncode != 0
    ssh.run(servers["b-1"], "rm /etc/lamp-full")
    assert finish(f"/v1/workflows/{failed.pk}/resume", {}).status == "completed"
    assert [ssh.run(servers[name], "cat /etc/lamp") for name in ("b-1", "b-2")] == ["1", "1"]
    assert Taskserv.objects.filter(name="lamp", status="running").count() == 2
