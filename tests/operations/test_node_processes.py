"""Processes beside the cluster: started when they are needed, again when they die, and not while they have no work."""

import os
import signal
import time

import pytest

from apps.operations import registry
from apps.operations.registry import NodeProcess
from apps.operations.worker import child_processes, node_processes
from apps.operations.worker.node_processes import NodeProcesses
from apps.taskservs.ansible.requests import RolePlay, RunRequest
from apps.taskservs.models import AnsibleRun
from tests.operations.databases import SQLite
from tests.operations.fleet import eventually

SOON = 1.5  # the supervisor looks into the database each other second


@pytest.fixture
def processes(monkeypatch, tmp_path):
    """One process that is needed while there is a file, and ends when there is none."""

    def run(node, folder):
        while (folder / "work").exists():
            time.sleep(0.01)

    before = child_processes.children()
    monkeypatch.setattr(node_processes, "wakeup", None)
    monkeypatch.setattr(registry, "_node_processes", {})
    registry.register_node_process(NodeProcess(name="probe", run=run, is_needed=(tmp_path / "work").exists))
    made = NodeProcesses("node", tmp_path, lambda: before)
    yield made
    made.terminate()
    made.wait(time.monotonic() + 5)


def test_a_process_runs_while_it_is_needed(processes, tmp_path):
    processes.start_needed()
    assert not processes.pids()
    (tmp_path / "work").touch()
    processes.start_needed()
    [first] = processes.pids()
    os.kill(first, signal.SIGKILL)
    [second] = eventually(lambda: processes.keep_alive() or processes.pids() - {first}, 10)
    (tmp_path / "work").unlink()
    eventually(lambda: processes.keep_alive() or not processes.pids(), 10, "the end of what has no more work")
    processes.keep_alive()
    assert not processes.pids(), "it rests"
    (tmp_path / "work").touch()
    processes.start_needed()
    assert processes.pids() and processes.pids() != {second}


def test_a_bell_is_heard_once(processes):
    assert not processes.wakeup.was_woken()
    for _ in range(100_000):  # more than a pipe holds
        node_processes.wake_supervisor()
    assert processes.wakeup.was_woken() and not processes.wakeup.was_woken()


@pytest.mark.parametrize("system", [SQLite], indirect=True)
def test_the_runner_of_ansible_comes_with_the_first_run_and_again_when_it_is_killed(fleet, submit, ended):
    node = fleet.start()
    assert node.ansible_runner is None
    play = RolePlay(taskserv="none", role_path="/none", tasks=["install"], server_ids=["srv-gone"])
    for runs in (1, 2):
        operation = ended(submit("run_ansible", **RunRequest(plays=[play]).as_json()))
        assert operation.result["error_code"] == "SERVER_GONE"
        run = AnsibleRun.objects.get(operation=operation)
        assert (run.started_at - run.created_at).total_seconds() < SOON, f"run {runs}"
        node.kill(eventually(lambda: node.ansible_runner))
    eventually(lambda: node.ansible_runner, 10, "a runner after the killed one")
