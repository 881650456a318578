"""Real machines: plays are run by Ansible, in phases, and what came of them is noted on the rows of the servers.

A step requests a run and waits without a worker; the run's end wakes the operation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction

from apps.operations.errors import Refused, Retry
from apps.operations.handler_api import Context, Wait
from apps.operations.models import Event
from apps.taskservs.ansible import runs
from apps.taskservs.ansible.requests import RunRequest
from apps.taskservs.models import AnsibleRun
from apps.taskservs.plays import Phase, Play
from apps.taskservs.progress import Counter, Progress, progress_of
from apps.taskservs.services import installations
from apps.taskservs.variables import role_play

State = AnsibleRun.State
TASK_FAILED, UNREACHABLE = "TASK_FAILED", "SERVER_UNREACHABLE"  # codes of runs


def run_phases(context: Context, phases: list[Phase], *, so_far: Counter) -> Wait | None:
    """Take one step towards all phases being done; None when they are. `so_far` names the count in the stored state.

    Raises Refused naming the servers on which a play failed, Retry when a server did not answer.
    """
    number = progress_of(context.operation).get(so_far, 0)
    while number < len(phases) and not phases[number]:
        number += 1
    if number >= len(phases):
        return None
    plays = within(phases[number], progress_of(context.operation).get("left"))
    found = ended_run(context, f"{so_far}-{number}", plays)
    if isinstance(found, Wait):
        return found
    note_results(context, plays, found, so_far=so_far, number=number)
    refuse_failed(found)
    return None if number + 1 == len(phases) else Wait(0, message="the next phase begins", keeps_attempts=True)


def within(plays: Phase, left: list[str] | None) -> Phase:
    """Return the plays on the servers that are left to be done, after some of them did not answer."""
    if not left:
        return plays
    narrowed = [replace(play, hosts=[server for server in play.hosts if server.id in left]) for play in plays]
    return [play for play in narrowed if play.hosts]


def ended_run(context: Context, name: str, plays: Phase, *, check_mode: bool = False) -> AnsibleRun | Wait:
    """Return the run of that name when it is over, having requested it where there is none or where it was lost."""
    ids = progress_of(context.operation).get("runs", {})
    run = AnsibleRun.objects.filter(pk=ids[name]).first() if name in ids else None
    if run is not None and not run.is_over:
        runs.latest_run(context.operation)  # marks it as lost when its runner is gone
        run.refresh_from_db()
    if run is not None and run.state == State.ENDED:
        return run
    if run is not None and not run.is_over:
        return waiting(run)
    if run is not None:
        context.log("The run was killed or lost; it is begun anew.", level=Event.Level.WARNING)
    return request(context, name, plays, check_mode=check_mode)


@transaction.atomic
def request(context: Context, name: str, plays: Phase, *, check_mode: bool) -> Wait:
    """Request a run, and note that the servers are touched from now on."""
    names = names_of(plays)
    role_plays = [role_play(play, names[at]) for at, play in enumerate(plays)]
    run = runs.request_run(context, RunRequest(plays=role_plays, check_mode=check_mode))
    ids = {**progress_of(context.operation).get("runs", {}), name: str(run.pk)}
    context.save(**(Progress(runs=ids) if check_mode else Progress(runs=ids, begun=True)))
    for play in plays if not check_mode else ():
        server_ids = [server.id for server in play.hosts]
        if play.installs and play.stages != ("verify",):
            installations.note_begun(play.part.taskserv_id, server_ids)
        if "remove" in play.stages:
            installations.note_removing(play.part.taskserv_id, server_ids)
    return waiting(run)


def names_of(plays: Phase) -> list[str]:
    """Return a name for each play of a run: the taskserv's, with the stage behind it where it comes again."""
    names: list[str] = []
    for play in plays:
        name = play.part.definition.name
        unique = name if name not in names else f"{name}_{play.stages[0]}"
        names.append(unique if unique not in names else f"{unique}_{len(names)}")
    return names


def waiting(run: AnsibleRun) -> Wait:
    """Return what to tell while a run is queued or under way."""
    note = "the run waits for its turn" if run.state == State.QUEUED else "Ansible is at work"
    if run.tasks_total:
        note += f": {run.tasks_done} of {run.tasks_total} tasks"
    return Wait(runs.POLL_SECONDS, message=note, queued=run.state == State.QUEUED, keeps_attempts=True)


@transaction.atomic
def note_results(context: Context, plays: Phase, run: AnsibleRun, *, so_far: Counter, number: int) -> None:
    """Note on the rows what came of a run, and in the state that it was noted."""
    names = names_of(plays)
    for at, play in enumerate(plays):
        done = [server for server in play.hosts if names[at] in played(run, server.hostname)]
        note_done(play, [server.id for server in done])
        for server in play.hosts:
            if server not in done and names[at] == first_undone(plays, names, run, server.id):
                note_undone(play, server.id, run.hosts.get(server.hostname, {}))
    changed = sum(host.get("changed", 0) for host in run.hosts.values())
    undone = {name for name, host in run.hosts.items() if host.get("state") != "ok"}
    left = {server.id for play in plays for server in play.hosts if server.hostname in undone}
    progress = progress_of(context.operation)
    kept = {name: id for name, id in progress["runs"].items() if not left or name != f"{so_far}-{number}"}
    ended = all(host.get("state") == "ok" for host in run.hosts.values())
    stored = Progress(changed=progress.get("changed", 0) + changed, left=sorted(left), runs=kept)
    if ended:
        stored[so_far] = number + 1
    context.save(**stored)


def played(run: AnsibleRun, hostname: str) -> list[str]:
    """Return the names of the plays that a host has completed."""
    return run.hosts.get(hostname, {}).get("plays", [])


def first_undone(plays: Phase, names: list[str], run: AnsibleRun, server_id: str) -> str:
    """Return the first play that a server has not completed."""
    mine = [
        names[at]
        for at, play in enumerate(plays)
        for server in play.hosts
        if server.id == server_id and names[at] not in played(run, server.hostname)
    ]
    return mine[0] if mine else ""


def note_done(play: Play, server_ids: list[str]) -> None:
    """Note what a play has come to on the servers that completed it."""
    if "remove" in play.stages:
        installations.note_removed(play.part.taskserv_id, server_ids)
    if {"install", "configure", "start"} & set(play.stages):
        installations.note_installed(play.part.taskserv_id, server_ids, play.part.version)
    if "verify" in play.stages:
        installations.note_verified(play.part.taskserv_id, server_ids)
    if "promote" in play.stages and play.primary and play.primary.id in server_ids:
        installations.note_promoted(play.part.taskserv_id, play.primary.id, play.part.definition.roles)


def note_undone(play: Play, server_id: str, host: dict[str, Any]) -> None:
    """Note why a play did not come to its end on a server; one that it never reached is as it was."""
    if host.get("state") == "failed":
        installations.note_failed(play.part.taskserv_id, server_id, host.get("error", ""))
    elif host.get("state") == "unreachable":
        installations.note_unreachable(play.part.taskserv_id, server_id, host.get("error", ""))


def refuse_failed(run: AnsibleRun) -> None:
    """Refuse what a run could not do. Raises Refused naming the servers, Retry for those that did not answer."""
    if run.error_code not in ("", TASK_FAILED, UNREACHABLE):
        raise Refused(run.error_code, run.error)
    for state, kind, code in (("failed", Refused, TASK_FAILED), ("unreachable", Retry, UNREACHABLE)):
        found = {name: host for name, host in run.hosts.items() if host.get("state") == state}
        if found:
            raise kind(code, " ".join(sentence(name, host) for name, host in found.items()), servers=sorted(found))
    if any(host.get("state") != "ok" for host in run.hosts.values()):
        raise Retry("RUN_INCOMPLETE", "Ansible ended before it had done everything.")


def sentence(hostname: str, host: dict[str, Any]) -> str:
    """Return a sentence about a failure that names its server."""
    text = host.get("error") or "it failed."
    return text if hostname in text else f"{hostname}: {text}"
