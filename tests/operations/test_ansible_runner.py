"""The runner of Ansible beside the workers of a node: kills, stops, and many runs at once."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from apps.operations.cancellation import cancel
from apps.operations.models import Operation
from apps.taskservs.models import AnsibleRun
from tests.operations.fleet import eventually
from tests.ssh import Client
from tests.taskservs.playing import request, role, shell

pytestmark = pytest.mark.slow
START_SECONDS = 60
ONCE = "if [ -e /root/once ]; then true; else touch /root/once; sleep 9999; fi"


def sleeping(ssh, server):
    return ssh.tried(server, "pgrep -x sleep -a | grep -c '[9]999'").stdout.strip() not in ("", "0")


def folders():
    return {path for path in Path("/tmp").glob("prov-*") if path.stat().st_uid == os.getuid()}


@pytest.fixture
def interrupted(fleet, submit, real_servers, tmp_path):
    """A run in the middle of a task that ends only when it is done again; gives node, operation and a look at it."""
    [server] = real_servers("web-01")
    ssh = Client.of(server.workspace, tmp_path)
    ssh.run(server, "rm -f /root/once")
    node = fleet.start()
    asked = request(role(tmp_path, install=[shell("Wait", ONCE)]), [server])
    operation = submit("run_ansible", **asked.as_json())
    eventually(lambda: sleeping(ssh, server), START_SECONDS)
    return node, operation, lambda: sleeping(ssh, server)


def test_a_killed_runner_s_run_is_ended_everywhere_and_done_again(interrupted, ended):
    node, operation, runs_on = interrupted
    node.everything()
    os.kill(node.ansible_runner, signal.SIGKILL)
    operation = ended(operation)
    assert operation.status == "completed", operation.error
    assert list(AnsibleRun.objects.values_list("state", flat=True)) == ["lost", "ended"]
    assert not runs_on()
    assert operation.events.filter(message__contains="what an earlier run had left there is over (ended ").exists()
    node.stop()
    eventually(lambda: not node.leavings())


def test_a_killed_node_s_run_is_ended_everywhere_and_done_by_another(interrupted, fleet, ended):
    node, operation, runs_on = interrupted
    mine = {path for path in folders() if str(path) in folder_of(node)}
    node.crash()
    fleet.start()
    operation = ended(operation)
    assert operation.status == "completed", operation.error
    assert not runs_on()
    assert mine and not mine & folders(), "the keys in use went with the node"
    eventually(lambda: not node.leavings())


def folder_of(node):
    """The environment of the runs below a node, in which their directory is named."""
    found = ""
    for pid in node.everything():
        environment = Path(f"/proc/{pid}/environ").read_text(errors="replace")
        found += environment if "PROVISIONING_RUN=" in environment else ""
    return found


def test_a_node_that_stops_ends_its_runs_in_order_and_in_time(interrupted, ended, fleet):
    node, operation, runs_on = interrupted
    assert node.stop() < 8
    assert not runs_on()
    assert AnsibleRun.objects.get().state == "lost"
    fleet.start()
    operation = ended(operation)
    assert operation.status == "completed", operation.error


def test_twenty_runs_hold_no_worker(fleet, submit, ended, real_servers, tmp_path):
    servers = real_servers("web-01", "web-02", "web-03", "web-04")
    fleet.start(WORKERS="2", ANSIBLE_RUNS="3")
    path = role(tmp_path, install=[shell("Wait", "sleep 600")])
    playing = [
        submit("run_ansible.stoppable", **request(path, [servers[number % 4]]).as_json()) for number in range(20)
    ]
    eventually(lambda: AnsibleRun.objects.count() == 20)
    eventually(lambda: AnsibleRun.objects.filter(state="running").count() == 3)
    waits = []
    for _ in range(20):
        done = ended(submit("instant"))
        waits.append(done.started_at - done.created_at)
        time.sleep(0.1)
    assert sorted(waits)[18] < timedelta(seconds=1), "p95"
    assert AnsibleRun.objects.filter(state="running").count() == 3, "no more at once than is set"
    for operation in playing:
        cancel(operation=operation)
    eventually(lambda: not Operation.objects.unfinished().exists())
    assert set(AnsibleRun.objects.values_list("state", flat=True)) == {"stopped"}
