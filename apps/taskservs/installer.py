"""The installer of this release: it walks the tasks of a role on emulated machines, and installs nothing.

One short step walks a share of the tasks and stores how far it came, so that progress shows and a cancel is heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from django.db import transaction

from apps.operations.errors import Refused
from apps.operations.steps import Context, Wait
from apps.taskservs import services
from apps.taskservs.conditions import hosts_of, variables_of
from apps.taskservs.plans import Part

STEPS, PAUSE_SECONDS = 5, 0.3
INSTALLING, REMOVING = ("install", "verify"), ("remove",)
NOTHING = {
    "install": "emulated: nothing was installed",
    "verify": "emulated: nothing was verified",
    "remove": "emulated: nothing was removed",
}


@dataclass(frozen=True)
class Task:
    """One task of a role, with the hosts that it would run on."""

    part: Part
    file: str
    name: str
    hosts: list[str]


def tasks_of(parts: list[Part], files: tuple[str, ...]) -> list[Task]:
    """Return the tasks of the parts, in order."""
    return [task for part in parts for file in files for task in tasks_in(part, file)]


def tasks_in(part: Part, file: str) -> Iterator[Task]:
    """Yield the tasks of one file of a role."""
    hosts = [server.hostname for server in part.servers]
    variables = variables_of(part.definition, part.version, part.config, hosts)
    for entry in part.definition.tasks[file]:
        yield Task(part, file, entry.name, hosts_of(entry, variables, hosts))


def refuse_unless_emulated(parts: list[Part]) -> None:
    """Refuse real machines. Raises Refused (INSTALLER_UNAVAILABLE)."""
    real = sorted({server.hostname for part in parts for server in part.servers if not server.emulated})
    if real:
        text = "This release installs on emulated machines only; these are real: " + ", ".join(real) + "."
        raise Refused("INSTALLER_UNAVAILABLE", text, servers=real)


def walk(context: Context, tasks: list[Task], *, so_far: str) -> Wait | None:
    """Walk the next share of the tasks; None when that was the last. `so_far` names the count in the stored state."""
    start = context.state.get(so_far, 0)
    end = start + ceil(len(tasks) / STEPS)
    share = tasks[start:end]
    with transaction.atomic():
        context.save(begun=True)
        services.note_begun([task.part.taskserv_id for task in share if task.file in INSTALLING])
    for task in share:
        for host in task.hosts:
            tell(context, task, host)
    if end >= len(tasks):
        return None
    note = f"{share[-1].part.definition.name}: {end} of {len(tasks)} tasks walked (emulated)"
    return Wait(PAUSE_SECONDS, {**context.state, so_far: end, "installed": finished(tasks, end)}, note)


def tell(context: Context, task: Task, host: str) -> None:
    """Log a task on a server for what it is: walked, not run."""
    context.log(
        f"{host}: {task.name} ({NOTHING[task.file]})",
        server=host,
        taskserv=task.part.definition.name,
        version=task.part.version,
        file=task.file,
        task=task.name,
        emulated=True,
    )


def finished(tasks: list[Task], end: int) -> list[str]:
    """Return the taskservs that have no task left."""
    left = {task.part.taskserv_id for task in tasks[end:]}
    return list(dict.fromkeys(task.part.taskserv_id for task in tasks[:end] if task.part.taskserv_id not in left))


def changes(parts: list[Part], files: tuple[str, ...]) -> list[dict[str, object]]:
    """Return what would be done: the tasks that would run, by server and taskserv."""
    return [
        {
            "server": server.hostname,
            "taskserv": part.definition.name,
            "version": part.version,
            "tasks": [task.name for task in tasks if server.hostname in task.hosts],
        }
        for part in parts
        for tasks in [tasks_of([part], files)]
        for server in part.servers
    ]
