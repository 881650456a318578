"""Stopping runs of Ansible: nothing of them runs on, neither here nor on the servers."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest

from apps.operations import cancellation
from apps.operations.errors import AlreadyEnded
from apps.operations.models import Operation
from apps.taskservs.ansible import process
from apps.taskservs.models import AnsibleRun
from tests.ssh import Client
from tests.taskservs.playing import request, role, shell

pytestmark = pytest.mark.slow
# On a machine whose processors many others want too, more than what is promised.
STOP_SECONDS = 5 if os.getloadavg()[0] < 3 * os.cpu_count() else 20
LISTED = "systemctl list-units --all --no-legend --plain 'provisioning*.scope' 'provisioning-*.slice' 'run-*.scope'"


def is_running(ssh, server, what):
    return ssh.tried(server, f"pgrep -f '{what}'").returncode == 0


def test_a_cancel_ends_what_runs_on_the_servers_and_says_what_was_done(ansible, real_servers, tmp_path):
    servers = real_servers("web-01", "web-02")
    ssh = Client.of(servers[0].workspace, tmp_path)
    hidden = "env -i setsid sh -c 'sleep 7777 & sleep 7778'"
    path = role(tmp_path, install=[shell("First", "true"), shell("Wait", hidden), shell("Last", "touch /root/last")])
    operation = ansible.submit(request(path, servers), name="run_ansible.stoppable")
    ansible.until(lambda: all(is_running(ssh, server, "sleep 7[7]77") for server in servers))
    run = AnsibleRun.objects.get()
    began = time.monotonic()
    cancellation.cancel(operation=operation)
    ansible.until(lambda: not Operation.objects.unfinished().exists())
    assert time.monotonic() - began < STOP_SECONDS
    for server in servers:
        assert not is_running(ssh, server, "sleep 7[7]7") and ssh.run(server, LISTED) == ""
        assert ssh.tried(server, "test -e /root/last").returncode != 0
        [line] = operation.events.filter(message__startswith=f"{server.hostname}: 2 tasks were done, 1 with changes")
        assert "Nothing runs there any more" in line.message
    assert process.marked(run.pk.hex) == set()
    assert not (ansible.folder / run.pk.hex[:8]).exists()
    operation.refresh_from_db()
    run.refresh_from_db()
    assert (operation.status, operation.error, run.state) == ("cancelled", None, "stopped")


def test_a_cancel_at_any_moment_leaves_nothing_that_runs(ansible, real_servers, tmp_path):
    moments, servers = random.Random(11), real_servers("web-01", "web-02")
    ssh = Client.of(servers[0].workspace, tmp_path)
    works = [shell(f"Work {number}", "sleep 0.1; touch /root/worked") for number in range(6)]
    path = role(tmp_path, install=works)
    for _ in range(4):
        operation = ansible.submit(request(path, servers), name="run_ansible.stoppable")
        began, pause = time.monotonic(), moments.uniform(0.2, 6)
        ansible.until(lambda began=began, pause=pause: time.monotonic() - began > pause)
        with suppress(AlreadyEnded):
            cancellation.cancel(operation=operation)
        ansible.until(lambda: not Operation.objects.unfinished().exists())
        for run in operation.ansible_runs.all():
            assert run.is_over and process.marked(run.pk.hex) == set()
        for server in servers:
            assert ssh.run(server, f"grep -ls '/provisioning[.]slice/' /proc/[0-9]*/cgroup || true; {LISTED}") == ""
    assert list(ansible.folder.iterdir()) == [ansible.folder / "lock"]
    assert ansible.play(request(path, servers)).result["error"] == ""
    assert [ssh.run(server, LISTED) for server in servers] == ["", ""], "units of commands that have ended"


def test_a_cancel_in_the_middle_of_apt_leaves_it_usable(ansible, real_servers, package_proxy, tmp_path):
    [server] = real_servers("web-01", fresh=True)
    ssh = Client.of(server.workspace, tmp_path)
    apt = {"name": ["sqlite3", "redis-server"], "update_cache": True}
    ssh.run(server, f"echo 'Acquire::http::Proxy \"{package_proxy}\";' >/etc/apt/apt.conf.d/proxy")
    path = role(tmp_path, install=[{"name": "Install", "ansible.builtin.apt": apt}])
    # dpkg stays for a while where packages are unpacked and not yet configured
    hook = "post-invoke=if [ -e /root/slow ]; then sleep 7777; fi"
    ssh.run(server, f"touch /root/slow; echo '{hook}' >/etc/dpkg/dpkg.cfg.d/slow")
    operation = ansible.submit(request(path, [server]), name="run_ansible.stoppable")
    ansible.until(lambda: is_running(ssh, server, "sleep 7[7]77"))
    assert ssh.run(server, "rm /root/slow; dpkg --audit") != ""
    cancellation.cancel(operation=operation)
    ansible.until(lambda: not Operation.objects.unfinished().exists())
    assert not is_running(ssh, server, "/[a]pt-get|/[d]pkg")
    assert ssh.run(server, "dpkg --audit") == ""
    ssh.run(server, "apt-get install -qq memcached && dpkg -s memcached >/dev/null", seconds=300)


def test_a_node_that_stops_ends_its_runs_and_another_takes_them_up(ansible, real_servers, tmp_path):
    [server] = real_servers("web-01")
    ssh = Client.of(server.workspace, tmp_path)
    wait = "if [ -e /root/once ]; then true; else touch /root/once; sleep 8888; fi"
    ssh.run(server, "rm -f /root/once")
    path = role(tmp_path, install=[shell("Wait", wait)])
    operation = ansible.submit(request(path, [server]))
    ansible.until(lambda: is_running(ssh, server, "sleep 8[8]88"))
    ansible.close()
    assert not is_running(ssh, server, "sleep 8[8]88")
    first = AnsibleRun.objects.get()
    assert first.state == "lost"
    ansible.until(lambda: not Operation.objects.unfinished().exists())
    operation.refresh_from_db()
    assert operation.status == "completed" and AnsibleRun.objects.count() == 2


def test_a_run_whose_processes_are_killed_is_begun_anew_but_not_for_ever(ansible, real_servers, tmp_path, settings):
    """As a machine without memory does it."""
    [server] = real_servers("web-01")
    ssh = Client.of(server.workspace, tmp_path)
    path = role(tmp_path, install=[shell("Wait", "[ -e /root/enough ] || sleep 9999")])
    kills = settings.OPERATIONS["max_crashes"]
    for enough, expected in ((True, ""), (False, "ANSIBLE_FAILED")):
        ssh.run(server, "rm -f /root/enough")
        operation = ansible.submit(request(path, [server]))
        for number in range(1 if enough else kills):
            ansible.until(lambda: is_running(ssh, server, "sleep 9[9]99"))
            if enough:
                ssh.run(server, "touch /root/enough")
            os.kill(ansible.runner.executions[0].pid, signal.SIGKILL)
            ended = operation.ansible_runs.filter(ended_at__isnull=False)
            ansible.until(lambda ended=ended, number=number: ended.count() > number)
            assert not is_running(ssh, server, "sleep 9[9]99")
        ansible.until(lambda: not Operation.objects.unfinished().exists())
        operation.refresh_from_db()
        assert (operation.status, operation.result["error_code"]) == ("completed", expected)
        assert operation.ansible_runs.count() == (2 if enough else kills)


def test_a_run_that_lost_its_server_to_another_can_start_nothing_there(ansible, real_servers, tmp_path):
    [server] = real_servers("web-01")
    ssh = Client.of(server.workspace, tmp_path)
    go_on = "while [ ! -e /root/go-on ]; do sleep 0.1; done"
    ssh.run(server, "rm -f /root/go-on /root/after")
    path = role(tmp_path, install=[shell("Wait", go_on), shell("After", "touch /root/after")])
    operation = ansible.submit(request(path, [server]))
    ansible.until(lambda: is_running(ssh, server, "[g]o-on"))
    ssh.run(server, "echo another >/run/provisioning.run; touch /root/go-on")
    ansible.until(lambda: not Operation.objects.unfinished().exists())
    operation.refresh_from_db()
    assert "taken over by another run" in operation.result["error"]
    assert ssh.tried(server, "test -e /root/after").returncode != 0
