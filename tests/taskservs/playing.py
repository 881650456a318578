"""Runs of Ansible in tests: roles written by the test, with runner and worker in the process of the test."""

import time
from pathlib import Path

import pytest
import yaml

from apps.operations import registry, services
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner as operations_runner
from apps.operations.worker.private_folder import PrivateFolder
from apps.taskservs.ansible.requests import RolePlay, RunRequest
from apps.taskservs.ansible.runner import Runner
from tests.operations.probes.kinds import KINDS

PATIENCE = 120
PAUSE = 0.2  # a look asks the database several things, and Ansible needs the processor


def role(folder, name="probe", handlers=(), **files):
    """Write a role; each file is a list of tasks. Gives its path."""
    tasks = Path(folder) / name / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (tasks / f"{file}.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    if handlers:
        (tasks.parent / "handlers").mkdir(exist_ok=True)
        (tasks.parent / "handlers" / "main.yml").write_text(yaml.safe_dump(list(handlers), sort_keys=False))
    return str(tasks.parent)


def shell(name, command, **more):
    """A task that runs a command line."""
    return {"name": name, "ansible.builtin.shell": command, **more}


def request(path, servers, *tasks, check_mode=False, **more):
    """A run of one role on these servers."""
    play = RolePlay(
        taskserv=Path(path).name,
        role_path=path,
        tasks=list(tasks or ["install"]),
        server_ids=[server.id for server in servers],
        **more,
    )
    return RunRequest(plays=[play], check_mode=check_mode)


class Stage:
    """A runner of this process and a worker's steps, in turn."""

    def __init__(self, folder):
        self.folder = folder
        self.runner = Runner("the test's node", folder)

    def submit(self, asked, name="run_ansible"):
        """Submit an operation that has Ansible do this."""
        return services.submit(kind=f"probe.{name}", workspace=None, actor=None, params=asked.as_json())

    def step(self):
        """Let the worker do what is due, and the runner look after its runs."""
        for lease in leases.claim(owner="the test's worker", max_count=10):
            operations_runner.run(str(lease.operation_id), lease.fence)
        self.runner.look()

    def until(self, true, seconds=PATIENCE):
        """Go on until it holds; gives what it gives."""
        give_up = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < give_up, "it did not come about"
            self.step()
            time.sleep(PAUSE)
        return found

    def play(self, asked, **more):
        """Have Ansible do this, to the end of the operation; gives the operation."""
        return self.ended(self.submit(asked, **more).pk, PATIENCE)

    def finish(self, answer, seconds=1200):
        """Work until the operation of an answer has ended, and return it."""
        assert answer.status_code == 200, answer.content
        return self.ended(answer.json()["id"], seconds)

    def complete(self, answer, seconds=1200):
        """Work until the operation of an answer has completed, and return its result."""
        operation = self.finish(answer, seconds)
        assert operation.status == "completed", operation.error
        return operation.result

    def ended(self, operation_id, seconds):
        """Work until an operation has ended, and return it."""
        self.until(lambda: not Operation.objects.unfinished().filter(pk=operation_id).exists(), seconds)
        return Operation.objects.get(pk=operation_id)

    def close(self):
        """Stop what runs."""
        for execution in self.runner.executions:
            execution.stop("shutdown")
        for execution in self.runner.executions:
            execution.thread.join(30)


@pytest.fixture
def ansible(transactional_db, monkeypatch, settings):
    """A stage for runs of Ansible; its private directory is `folder`. The tests' own roles may do anything."""
    settings.TASKSERV_TRUST_ROLES = True
    monkeypatch.setattr(registry, "_kinds", registry.kinds())
    registry.register_kinds(KINDS)
    folder = PrivateFolder()
    stage = Stage(folder.path)
    yield stage
    stage.close()
    folder.remove()
