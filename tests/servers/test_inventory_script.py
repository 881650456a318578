"""The shipped inventory script, run by Ansible itself against the service over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.accounts.models import TokenFamily
from apps.accounts.services import issue
from apps.servers.services.inventory import hash_of
from tests.conftest import PASSWORD
from tests.servers.fleet import installed, machine

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(__file__).parent.parent.parent / "contrib" / "inventory" / "provisioning.py"
ANSIBLE = Path(sys.executable).parent / "ansible"
ANSIBLE_INVENTORY = Path(sys.executable).parent / "ansible-inventory"


@pytest.fixture
def fleet(alice):
    web = machine("web-01", ip_address="10.0.0.1", ssh_port=2201, tags=["web", "eu:north"])
    machine("web-01", workspace="staging", ip_address="10.0.0.2", tags=["web"])
    installed("nginx", web)


@pytest.fixture
def run(cloud_server, tmp_path, alice):
    """Run a command as somebody who has a token would; `changes` replace variables, None takes one away."""
    family = TokenFamily.objects.create(user=alice, expires_at="2999-01-01T00:00:00Z")
    token = issue(alice, family.pk, family.current).token

    def go(*command, **changes):
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "PROVISIONING_URL": cloud_server.removesuffix("/emulator"),
            "PROVISIONING_TOKEN": token,
        }
        given = {name: value for name, value in (variables | changes).items() if value is not None}
        return subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return go


def ansible(run, *arguments, **changes):
    done = run(ANSIBLE_INVENTORY, "-i", SCRIPT, *arguments, **changes)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_it_is_listed_by_ansible(run, fleet):
    found = json.loads(ansible(run, "--list"))
    hosts = found["_meta"]["hostvars"]
    assert set(hosts) == {"production.web-01", "staging.web-01"}
    reach = {name: hosts["production.web-01"][f"ansible_{name}"] for name in ("host", "port", "user")}
    assert reach == {"host": "10.0.0.1", "port": 2201, "user": "root"}
    assert hosts["production.web-01"]["provisioning_tags"] == ["web", "eu:north"]
    assert found["tag_web"]["hosts"] == ["production.web-01", "staging.web-01"]
    assert found["taskserv_nginx"]["hosts"] == ["production.web-01"]


def test_it_is_drawn_by_ansible(run, fleet):
    graph = ansible(run, "--graph")
    for group, hosts in {"tag_eu_north": ["production.web-01"], "workspace_staging": ["staging.web-01"]}.items():
        assert "\n".join([f"  |--@{group}:", *(f"  |  |--{name}" for name in hosts)]) in graph
    assert graph.startswith("@all:\n  |--@ungrouped:\n")


def test_it_shows_one_workspace_by_host_names(run, fleet):
    found = json.loads(ansible(run, "--list", PROVISIONING_WORKSPACE="staging"))
    assert found["_meta"]["hostvars"]["web-01"]["ansible_host"] == "10.0.0.2"


def test_it_logs_in_with_user_name_and_password(run, fleet):
    changes = {"PROVISIONING_TOKEN": None, "PROVISIONING_USERNAME": "alice", "PROVISIONING_PASSWORD": PASSWORD}
    done = run(SCRIPT, "--list", **changes)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["_meta"]["hostvars"]) == 2


def test_it_shows_one_host(run, fleet):
    assert json.loads(run(SCRIPT, "--host", "staging.web-01").stdout)["ansible_host"] == "10.0.0.2"
    assert json.loads(run(SCRIPT, "--host", "nowhere").stdout) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PROVISIONING_URL": None}, "set PROVISIONING_URL"),
        ({"PROVISIONING_URL": "file:///etc/passwd"}, "set PROVISIONING_URL"),
        ({"PROVISIONING_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1 cannot be reached: "),
        ({"PROVISIONING_TOKEN": None}, "set PROVISIONING_TOKEN, or PROVISIONING_USERNAME and PROVISIONING_PASSWORD"),
        ({"PROVISIONING_TOKEN": "out-of-date"}, "answered 401: The access token is not valid"),
        ({"PROVISIONING_TOKEN": None, "PROVISIONING_USERNAME": "alice", "PROVISIONING_PASSWORD": "no"}, "401"),
        ({"PROVISIONING_WORKSPACE": "nowhere"}, "answered 400: "),
        ({"PROVISIONING_TIMEOUT": "soon"}, "PROVISIONING_TIMEOUT is not a number"),
    ],
)
def test_it_says_why_there_is_no_inventory(changes, message, run):
    done = run(SCRIPT, "--list", **changes)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("provisioning.py: ") and message in done.stderr
    assert done.stderr.count("\n") == 1


# ── names that mean something to Ansible ──────────────────────────────────────────────────────────────────────────────
RESERVED = ["all", "ungrouped", "localhost", "1.2.3.4", "127.0.0.1", "42", "web.localhost", "0x7f.1"]


@pytest.mark.parametrize("scope", [None, "production"], ids=["all workspaces", "one workspace"])
def test_it_exports_servers_safely_whatever_they_are_named(scope, run):
    """As they may be in a database from before such names were refused."""
    names = [*RESERVED, "web-01"]
    for number, name in enumerate(names):
        machine(name, ip_address=f"10.0.0.{number}", tags=["all", "x"])
    if scope is None:
        machine("0.0.1", workspace="127", ip_address="10.0.0.99")
    found = json.loads(ansible(run, "--list", PROVISIONING_WORKSPACE=scope))
    reached = {facts["ansible_host"] for facts in found["_meta"]["hostvars"].values()}
    assert len(reached) == len(names) + (scope is None)
    assert len(found["tag_all"]["hosts"]) == len(names)
    assert not {"all", "ungrouped", "localhost", "127.0.0.1"} & set(found["_meta"]["hostvars"])
    for pattern, count in (("all", len(reached)), ("tag_all", len(names)), ("ungrouped", 0)):
        done = run(ANSIBLE, "-i", SCRIPT, pattern, "--list-hosts", PROVISIONING_WORKSPACE=scope)
        assert f"hosts ({count})" in done.stdout, done.stdout + done.stderr
    for pattern in ("localhost", "127.0.0.1"):  # Ansible's own machine, no server
        done = run(
            ANSIBLE, "-i", SCRIPT, pattern, "-m", "debug", "-a", "var=ansible_host", PROVISIONING_WORKSPACE=scope
        )
        assert "10.0.0." not in done.stdout, done.stdout


def test_it_never_gives_a_group_another_one_s_name(run):
    clash = hash_of("a-b", 8)
    tags = ["a-b", "a.b", "a_b", f"a_b_{clash}", f"a_b_{hash_of('a-b', 16)}", f"a-b_{clash}", "all", "plain"]
    for number, tag in enumerate(tags):
        machine(f"web-{number}", ip_address=f"10.0.0.{number}", tags=[tag])
    found = json.loads(ansible(run, "--list"))
    groups = [group["hosts"] for name, group in found.items() if name.startswith("tag_")]
    assert sorted(groups) == [[f"production.web-{number}"] for number in range(len(tags))]
    assert found["tag_plain"]["hosts"] == ["production.web-7"]
