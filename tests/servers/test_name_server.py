"""Which host names a server can have, and how it is found by one."""

import shutil
import subprocess

import pytest

from apps.servers.models import Orphan, Server
from apps.servers.services import hosts
from apps.servers.services.ssh import ssh_config
from apps.workflows.definition import parse
from apps.workflows.definitions import definitions
from tests.refusals import refused
from tests.servers.fleet import installed, machine

pytestmark = pytest.mark.django_db
RESERVED = ["all", "All", "ungrouped", "localhost", "LocalHost", "localhost.localdomain", "x.localhost", "ip6-loopback"]
ADDRESSES = ["1.2.3.4", "127.0.0.1", "127.1", "2130706433", "0", "web.1", "0x7f000001", "0X7F.1", "10.0.0x1"]
GOOD = ["all-1", "web-all", "localhost-1", "1.2.3.4a", "4.web", "127.0.0.example", "x0", "all.example", "a1", "0xg"]


@pytest.mark.parametrize("path", ["/v1/servers/create", "/v1/servers"])
def test_it_refuses_names_that_mean_something_else(path, api, alice, body):
    for name in [*RESERVED, *ADDRESSES]:
        for check_mode in (False, True):
            answer = api(alice).post(path, body | {"hostname": name, "check_mode": check_mode})
            message = refused(answer, 400, "VALIDATION_ERROR", field="hostname")["message"]
            assert name in message and ("means" in message or "reads as an IP address" in message), message
    assert not Server.objects.exists()


def test_it_takes_names_that_only_look_like_these(api, alice, body):
    for name in GOOD:
        answer = api(alice).post("/v1/servers/create", body | {"hostname": name, "check_mode": True})
        assert answer.status_code == 200, (name, answer.content)


@pytest.mark.parametrize("name", ["localhost", "1.2.3.4"])
def test_it_adopts_no_orphan_under_such_a_name(name, api, alice, account, workspace):
    orphan = Orphan.objects.create(account=account, ref="1", server_id="srv-abc", hostname=name, state="running")
    for body in ({"workspace": "production"}, {"workspace": "production", "hostname": name}):
        refused(api(alice).post(f"/v1/orphans/{orphan.pk}/adopt", body), 400, "VALIDATION_ERROR", field="hostname")
    body = {"workspace": "production", "hostname": "web-01"}
    assert api(alice).post(f"/v1/orphans/{orphan.pk}/adopt", body).status_code == 200


def test_it_refuses_them_in_workflows(api, alice, account, monkeypatch):
    steps = [{"name": "a", "uses": "server.create", "with": {"hostname": "{{ parameters.name }}", **PLACE}}]
    parameters = {"properties": {"name": {"type": "string"}}}
    monkeypatch.setitem(definitions(), "probe", parse({"title": "a", "parameters": parameters, "steps": steps}))
    body = {"workspace": "production", "workflow_type": "probe", "parameters": {"name": "localhost"}}
    assert "localhost" in refused(api(alice).post("/v1/workflows/submit", body), 400, "VALIDATION_ERROR")["message"]


PLACE = {"provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1"}


# ── case ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_keeps_the_case_and_finds_without_it(api, alice, create):
    create(hostname="WEB-01")
    caller = api(alice)
    for name in ("WEB-01", "web-01", "Web-01"):
        [found] = caller.get(f"/v1/servers?hostname={name}").json()
        assert found["hostname"] == "WEB-01"
    for name in ("WEB-0%", "WEB_01", "web-0", "web-011"):
        assert caller.get("/v1/servers", {"hostname": name}).json() == []


def test_it_finds_taskservs_without_case(api, alice, workspace):
    installed("redis", machine("WEB-01"), machine("web-02"))
    for name in ("WEB-01", "web-01", "WEB-02"):
        assert [row["name"] for row in api(alice).get(f"/v1/taskservs?hostname={name}").json()] == ["redis"]
    body = {"workspace": "production", "name": "nginx", "servers": ["web-01", "Web-02"], "check_mode": True}
    assert api(alice).post("/v1/taskservs/create", body).status_code == 200


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client")
def test_it_gives_ssh_both_spellings_and_no_reserved_name(tmp_path):
    machine("WEB-01", ip_address="10.0.0.1")
    machine("localhost", ip_address="10.0.0.2")
    path = tmp_path / "config"
    path.write_text(ssh_config(hosts.hosts(Server.objects.all())))

    def reached(name):
        done = subprocess.run(["ssh", "-G", "-F", path, name], capture_output=True, text=True, check=True)
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())["hostname"]

    names = ("WEB-01", "web-01", "production.WEB-01", "production.web-01")
    assert {reached(name) for name in names} == {"10.0.0.1"}
    assert (reached("localhost"), reached("production.localhost")) == ("localhost", "10.0.0.2")
