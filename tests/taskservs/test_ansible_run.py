"""A run of Ansible on real machines: events as they happen, results, check mode, secrets, failures."""

import pytest
from django.core.management import call_command

from apps.servers.models import Server
from apps.taskservs.models import AnsibleRun
from apps.workspaces.services import new_key_pair
from tests.ssh import Client
from tests.taskservs.playing import request, role, shell

pytestmark = pytest.mark.slow
# Prints the names of the files in each module that a server keeps.
NAMES = """
import pathlib, zipfile
for path in pathlib.Path('/run/provisioning-modules').iterdir():
    print(*zipfile.ZipFile(path).namelist())
"""


def test_each_result_is_an_event_in_order(ansible, real_servers, tmp_path):
    servers = real_servers("web-01", "web-02")
    path = role(tmp_path, install=[shell("First", "true"), shell("Second", "true"), shell("Third", "true", when=False)])
    operation = ansible.play(request(path, servers))
    assert operation.status == "completed"
    events = [event for event in operation.events.all() if event.data]
    for host in ("web-01", "web-02"):
        tasks = [(event.data["task"], event.data["state"]) for event in events if event.data["server"] == host]
        assert tasks == [("Gathering Facts", "ok"), ("First", "changed"), ("Second", "changed"), ("Third", "skipped")]
        assert operation.result["hosts"][host]["state"] == "ok"
        assert operation.result["hosts"][host]["plays"] == ["probe"]
    assert [event.data["tasks_done"] for event in events] == list(range(1, 9))
    assert {event.data["tasks_total"] for event in events} == {8}
    assert len({event.at for event in events}) > 4, "they come as they happen, not all at the end"
    assert list(ansible.folder.iterdir()) == [ansible.folder / "lock"]


def test_a_server_keeps_modules_compiled_and_works_where_one_is_missing(ansible, real_servers, tmp_path):
    [server] = real_servers("web-01", fresh=True)
    ssh = Client.of(server.workspace, tmp_path)
    list_modules = "find /run/provisioning-modules -type f -user root -not -perm /022 -printf '%f %i\\n' | sort"
    path = role(tmp_path, install=[shell("First", "true"), shell("Second", "true")])
    kept = set()
    for turn in range(3):
        assert ansible.play(request(path, [server])).result["hosts"]["web-01"]["state"] == "ok"
        now = set(ssh.run(server, list_modules).splitlines())
        assert len(now) == 2 and (turn != 1 or now == kept), "one module gathers facts, another runs commands"
        kept = now
        if turn == 1:
            ssh.run(server, "rm /run/provisioning-modules/*")
    for line in ssh.run(server, f'python3 -c "{NAMES}"').splitlines():
        sources = [name for name in line.split() if name.endswith(".py")]
        assert sources and {f"{name}c" for name in sources} < set(line.split())
    # What is kept is what runs.
    ssh.run(server, "for file in /run/provisioning-modules/*; do echo bm9uZQ== >$file; done")
    assert ansible.play(request(path, [server])).result["hosts"]["web-01"]["state"] == "failed"
    ssh.run(server, "rm -r /run/provisioning-modules")


def test_a_failure_is_one_sentence_and_the_others_go_on(ansible, real_servers, tmp_path):
    servers = real_servers("web-01", "web-02")
    fails = shell("Start Redis", "echo no such unit >&2; exit 3", when="inventory_hostname == 'web-01'")
    path = role(tmp_path, install=[fails, shell("Go on", "true")], verify=[shell("Verify", "true")])
    operation = ansible.play(request(path, servers, "install", "verify"))
    one, other = operation.result["hosts"]["web-01"], operation.result["hosts"]["web-02"]
    assert (one["state"], one["task"], one["plays"]) == ("failed", "Start Redis", [])
    assert one["error"] == 'web-01: "Start Redis" failed: no such unit.'
    assert (other["state"], other["error"], other["plays"]) == ("ok", "", ["probe"])
    assert (operation.result["error_code"], operation.result["error"]) == ("TASK_FAILED", one["error"])
    [event] = operation.events.filter(level="error")
    assert event.message == one["error"] and event.data["output"]["rc"] == 3


def test_a_service_that_does_not_start_says_why(ansible, real_servers, tmp_path):
    says = r"echo reading; printf '\033[31mno directive\033[0m {{ probe_password }}\n' >&2; exit 3"
    says = r"echo reading; printf '\033[31mno directive\033[0m {{ probe_password }}\n' >&2; exit 3"
    unit = f'[Service]\nType=notify\nExecStart=/bin/sh -c "{says}"'
    write = {"dest": "/run/systemd/system/broken.service", "content": unit}
    start = {"name": "broken", "state": "restarted", "daemon_reload": True}
    tasks = [
        {"name": "Make it", "ansible.builtin.copy": write},
        {"name": "Start it", "ansible.builtin.systemd_service": start, "ignore_errors": True, "no_log": True},
        {"name": "Restart it", "ansible.builtin.systemd_service": start},
    ]
    path = role(tmp_path, install=tasks)
    [server] = real_servers("web-01")
    operation = ansible.play(request(path, [server], secret_variables={"probe_password": "very-secret"}))
    Client.of(server.workspace, tmp_path).run(server, "systemctl stop broken; rm /run/systemd/system/broken.service")
    error = operation.result["hosts"]["web-01"]["error"]
    assert error.startswith('web-01: "Restart it" failed: Unable to start service broken: '), error
    assert error.endswith("The log of broken ends: reading | no directive •••."), error


def test_a_task_that_fails_because_a_service_has_ended_says_why_it_has(ansible, real_servers, tmp_path):
    says = "echo bad address >&2; test $(hostname) = {{ runs_on }} && exec sleep 600"
    unit = f"[Service]\nExecStart=/bin/sh -c '{says}'\nRestart=on-failure\nRestartSec=0.2\nStartLimitBurst=2"
    tasks = [
        {"name": "Make it", "ansible.builtin.copy": {"dest": "/run/systemd/system/brief.service", "content": unit}},
        {"name": "Start it", "ansible.builtin.systemd_service": {"name": "brief", "state": "started"}},
        {"name": "Wait for the port", "ansible.builtin.wait_for": {"port": 9, "timeout": 1}, "no_log": "{{ hidden }}"},
    ]
    servers = real_servers("web-01", "web-02", "web-03")
    ssh = Client.of(servers[0].workspace, tmp_path)
    path = role(tmp_path, install=tasks)
    shown = {server.id: {"hidden": server.hostname == "web-02"} for server in servers}
    runs_on = ssh.run(servers[2], "hostname").strip()
    operation = ansible.play(request(path, servers, variables={"runs_on": runs_on}, host_variables=shown))
    for server in servers:
        ssh.run(server, "systemctl stop brief; rm /run/systemd/system/brief.service")
    failed = 'web-0{}: "Wait for the port" failed'
    timeout, log = "Timeout when waiting for 127.0.0.1:9.", "The log of brief ends: bad address."
    assert [operation.result["hosts"][server.hostname]["error"] for server in servers] == [
        f"{failed.format(1)}: {timeout} {log}",
        f"{failed.format(2)}; its output is hidden (no_log). {log}",
        f"{failed.format(3)}: {timeout}",
    ]


def test_a_role_that_cannot_be_read_is_named(ansible, real_servers, tmp_path):
    path = role(tmp_path, install=[{"name": "Nonsense", "no.such.module": {}}])
    operation = ansible.play(request(path, real_servers("web-01")))
    assert operation.result["error_code"] == "ANSIBLE_FAILED"
    assert "no.such.module" in operation.result["error"]
    assert operation.result["hosts"]["web-01"]["state"] == "pending"


def test_secrets_appear_nowhere(ansible, real_servers, tmp_path):
    secret, unknown = "s3cret'\"horse\nbattery-staple-line", "only-no-log-knows"
    word = "{{ probe_password }}"
    quiet = {"no_log": True, "ignore_errors": True}
    debug = {"ansible.builtin.debug": {"msg": f"it is {word}"}}
    tasks = [
        shell("Say it", f"printf %s {word} ; exit 1", ignore_errors=True),
        {"name": "Show it", **debug},
        shell("Hide it", f"echo {unknown}; exit 1", **quiet),
        shell("Hide a loop", "echo {{ item }}; exit 1", loop=[unknown, "other"], **quiet),
        {"name": "Write it", "ansible.builtin.copy": {"dest": "/root/secret", "content": f"a {word}", "mode": "600"}},
        shell(f"Name it {word}", "false"),
    ]
    path = role(tmp_path, install=tasks)
    operation = ansible.play(request(path, real_servers("web-01"), secret_variables={"probe_password": secret}))
    everything = str(list(operation.events.values())) + str(operation.result)
    everything += str(list(AnsibleRun.objects.values()))
    assert "Say it" in everything and "hidden (no_log)" in everything
    for hidden in (unknown, "battery-staple-line", "horse"):
        assert everything.find(hidden) < 0, everything[everything.find(hidden) - 300 :][:400]


def test_a_value_is_never_evaluated_as_a_template(ansible, real_servers, tmp_path):
    bad = "{{ lookup('ansible.builtin.pipe', 'touch " + str(tmp_path / "ran") + "') }}"
    path = role(tmp_path, install=[shell("Show", "printf %s {{ probe_word | quote }} >/root/word")])
    [server] = real_servers("web-01")
    operation = ansible.play(request(path, [server], variables={"probe_word": bad, "probe_list": [bad]}))
    assert operation.result["hosts"]["web-01"]["state"] == "ok", operation.result
    assert not (tmp_path / "ran").exists()
    assert Client.of(server.workspace, tmp_path).run(server, "cat /root/word") == bad


def test_a_text_that_looks_like_another_type_stays_a_text(ansible, real_servers, tmp_path):
    texts = ["7.0", "12345678901234567890", "yes", "null", "~", "2026-11-25", "0x1f", "1_000", ""]
    checks = [f"probe_list[{at}] is string and probe_list[{at}] == {text!r}" for at, text in enumerate(texts)]
    checks += ["probe_version is string and probe_version == '7.0'", "probe_port == 6379", "probe_flag is true"]
    path = role(tmp_path, install=[{"name": "Compare", "ansible.builtin.assert": {"that": checks}}])
    variables = {"probe_list": texts, "probe_version": "7.0", "probe_port": 6379, "probe_flag": True}
    operation = ansible.play(request(path, real_servers("web-01"), variables=variables))
    assert operation.result["hosts"]["web-01"]["state"] == "ok", operation.result


def test_check_mode_shows_what_would_change_and_changes_nothing(ansible, real_servers, tmp_path):
    [server] = real_servers("web-01")
    ssh = Client.of(server.workspace, tmp_path)
    ssh.run(server, "echo before >/root/checked")
    copy = {"dest": "/root/checked", "content": "after {{ probe_password }}\n"}
    (tmp_path / "mine.j2").write_text("mine\n")
    template = {"src": str(tmp_path / "mine.j2"), "dest": "/root/{{ probe_name }}"}
    tasks = [
        {"name": "Configure", "ansible.builtin.copy": copy},
        {"name": "Write it", "ansible.builtin.template": template},
    ]
    path = role(tmp_path, install=tasks)
    secret = {"probe_password": "very-secret"}
    asked = request(path, [server], check_mode=True, variables={"probe_name": "new"}, secret_variables=secret)
    operation = ansible.play(asked)
    change, made = operation.result["changes"]
    assert (change["host"], change["play"], change["task"]) == ("web-01", "probe", "Configure")
    assert change["diff"].startswith("--- /root/checked\n+++ /root/checked\n") and change["paths"] == ["/root/checked"]
    assert "-before" in change["diff"] and "+after •••" in change["diff"]
    assert made["diff"] == "--- /root/new\n+++ /root/new\n@@ -0,0 +1 @@\n+mine" and made["paths"] == ["/root/new"]
    assert ssh.run(server, "cat /root/checked") == "before"


def test_a_server_that_does_not_answer_is_unreachable_not_failed(ansible, real_servers, tmp_path, monkeypatch):
    monkeypatch.setattr("apps.taskservs.ansible.servers.REACH_SECONDS", 3.0)
    servers = real_servers("web-01", "web-02")
    Server.objects.filter(hostname="web-02").update(ssh_port=9)
    path = role(tmp_path, install=[shell("First", "true")])
    operation = ansible.play(request(path, servers))
    hosts = operation.result["hosts"]
    assert (hosts["web-01"]["state"], hosts["web-02"]["state"]) == ("pending", "unreachable")
    assert operation.result["error_code"] == "SERVER_UNREACHABLE"
    assert "web-02 does not answer by SSH at" in operation.result["error"]


def test_a_changed_host_key_is_refused_and_the_first_one_is_pinned(ansible, real_servers, tmp_path):
    [server] = real_servers("web-01")
    path = role(tmp_path, install=[shell("First", "touch /root/was-here")])
    assert ansible.play(request(path, [server])).result["hosts"]["web-01"]["state"] == "ok"
    ssh = Client.of(server.workspace, tmp_path)
    ssh.run(server, "rm /root/was-here")
    server.refresh_from_db()
    assert server.ssh_host_key.split()[:2] == ssh.run(server, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    another, _ = new_key_pair("somebody")
    Server.objects.update(ssh_host_key=another)
    operation = ansible.play(request(path, [server]))
    assert operation.result["error_code"] == "HOST_KEY_CHANGED"
    assert "web-01 presents another SSH host key (SHA256:" in operation.result["error"]
    assert ssh.tried(server, "test -e /root/was-here").returncode != 0
    call_command("forget_host_key", server.id)
    assert ansible.play(request(path, [server])).result["hosts"]["web-01"]["state"] == "ok"


def test_nothing_of_the_controller_s_agent_or_environment_reaches_it(ansible, real_servers, tmp_path, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    monkeypatch.setenv("DATABASE_SECRET", "dear")
    path = role(
        tmp_path,
        install=[
            {
                "name": "Look",
                "ansible.builtin.assert": {
                    "that": [
                        "lookup('ansible.builtin.env', 'SSH_AUTH_SOCK') == ''",
                        "lookup('ansible.builtin.env', 'DATABASE_SECRET') == ''",
                    ]
                },
            }
        ],
    )
    operation = ansible.play(request(path, real_servers("web-01")))
    assert operation.result["hosts"]["web-01"]["state"] == "ok", operation.result
