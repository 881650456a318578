"""Emulated machines without a container: the tasks of a role are walked, and nothing is installed.

One short step walks a share of the tasks and stores how far it came, so that progress shows and a cancel is heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from django.db import transaction

from apps.operations.handler_api import Context, Wait
from apps.taskservs.plays import Play
from apps.taskservs.progress import Counter, Progress, progress_of
from apps.taskservs.services import installations

STEPS, PAUSE_SECONDS = 5, 0.3
NOTHING = {
    "configure": "emulated: nothing was configured",
    "start": "emulated: nothing was started",
    "verify": "emulated: nothing was verified",
    "remove": "emulated: nothing was removed",
    "leave": "emulated: nothing was removed",
    "demote": "emulated: nothing was stopped",
    "promote": "emulated: nothing was configured",
    "forget": "emulated: nothing was removed",
}
ELSE = "emulated: nothing was installed"


@dataclass(frozen=True)
class Task:
    """One task of a role, with the hosts that it would run on."""

    play: Play
    file: str
    name: str
    hosts: list[str]


def tasks_of(plays: list[Play]) -> list[Task]:
    """Return the tasks of plays, in order."""
    return [task for play in plays for file in play.stages for task in tasks_in(play, file)]


def tasks_in(play: Play, file: str) -> Iterator[Task]:
    """Yield the tasks of one file of a role."""
    from apps.taskservs.task_conditions import hosts_of, variables_of

    part = play.part
    members = list(dict.fromkeys(server.hostname for server in [*(play.members or part.servers), *play.hosts]))
    hosts = [server.hostname for server in play.hosts]
    known = {
        host: variables_of(part.definition, part.version, part.config, members, host) | {"taskserv_purge": play.purge}
        for host in hosts
    }
    for entry in part.definition.tasks.get(file, ()):
        yield Task(play, file, entry.name, hosts_of(entry, known))


def run_tasks(context: Context, plays: list[Play], *, so_far: Counter) -> Wait | None:
    """Run the next share of the tasks; None when that was the last. `so_far` names the count in the stored state."""
    tasks = tasks_of(plays)
    start = progress_of(context.operation).get(so_far, 0)
    end = start + ceil(len(tasks) / STEPS)
    share = tasks[start:end]
    with transaction.atomic():
        context.save(**Progress(begun=True))
        for play in {id(task.play): task.play for task in share}.values():
            server_ids = [server.id for server in play.hosts]
            if play.installs:
                installations.note_begun(play.part.taskserv_id, server_ids)
            if "remove" in play.stages:
                installations.note_removing(play.part.taskserv_id, server_ids)
        for play in ended_between(tasks, start, end):
            note_end(play)
    for task in share:
        for host in task.hosts:
            tell(context, task, host)
    if end >= len(tasks):
        return None
    note = f"{share[-1].play.part.definition.name}: {end} of {len(tasks)} tasks walked (emulated)"
    return Wait(PAUSE_SECONDS, {**progress_of(context.operation), so_far: end}, note)


def ended_between(tasks: list[Task], start: int, end: int) -> list[Play]:
    """Return the plays whose last task is in a share."""
    last = {id(task.play): (number, task.play) for number, task in enumerate(tasks)}
    return [play for number, play in last.values() if start <= number < end]


def note_end(play: Play) -> None:
    """Note that a taskserv is as good as installed; nothing is really there, so that nothing is verified."""
    if play.installs:
        installations.note_installed(play.part.taskserv_id, [server.id for server in play.hosts], play.part.version)
    if "promote" in play.stages and play.primary in play.hosts:
        installations.note_promoted(play.part.taskserv_id, play.primary.id, play.part.definition.roles)


def tell(context: Context, task: Task, host: str) -> None:
    """Log a task on a server for what it is: walked, not run."""
    context.log(
        f"{host}: {task.name} ({NOTHING.get(task.file, ELSE)})",
        server=host,
        taskserv=task.play.part.definition.name,
        version=task.play.part.version,
        file=task.file,
        task=task.name,
        emulated=True,
    )


def changes(plays: list[Play]) -> list[dict[str, object]]:
    """Return what would be done: the tasks that would run, by server and taskserv."""
    return [
        {
            "server": server.hostname,
            "taskserv": play.part.definition.name,
            "version": play.part.version,
            "tasks": [task.name for task in tasks if server.hostname in task.hosts],
        }
        for play in plays
        for tasks in [tasks_of([play])]
        for server in play.hosts
    ]
