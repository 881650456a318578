"""What the steps of all kinds share: turns, real or emulated machines, checking, removing."""

from __future__ import annotations

from typing import Any

from apps.operations.errors import Refused
from apps.operations.handler_api import Context, Done, Wait
from apps.taskservs import emulated_run, install_plan, machines, real_run
from apps.taskservs.ansible import runs
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.plays import Phase, removing
from apps.taskservs.progress import Counter, Progress, progress_of

TURN_SECONDS = 1.0


def parts_present(context: Context) -> list[PlanItem]:
    """Return the parts of the stored plan. Raises Refused when a forced deletion took the servers away meanwhile."""
    parts = install_plan.parts_of(context.params["plan"], workspace_path(context))
    if not all(part.servers for part in parts):
        raise Refused("SERVER_GONE", "The servers were deleted before anything was installed on them.")
    install_plan.refuse_foreign_paths(parts)
    return parts


def workspace_path(context: Context) -> str:
    """Return the path of the operation's workspace, whose own catalog counts."""
    return context.operation.workspace.path if context.operation.workspace else ""


def wait_for_others(context: Context) -> Wait | None:
    """Wait for the operations that were at work on the same servers before this one came; None when it is its turn."""
    if progress_of(context.operation):
        return None
    holder = machines.ahead_of(context.params["after"])
    note = f"operation {holder} is at work on the same servers"
    return Wait(TURN_SECONDS, message=note, queued=True) if holder else None


def with_hosts(phases: list[Phase]) -> list[Phase]:
    """Leave out the plays that have no servers, which Ansible refuses; the phases keep their places."""
    return [[play for play in phase if play.hosts] for phase in phases]


def perform(context: Context, phases: list[Phase], *, so_far: Counter) -> Wait | None:
    """Take one step towards phases of plays being done, one phase after the other; None when they are.

    Raises ServerNotRunning, Refused, Retry.
    """
    phases = with_hosts(phases)
    hosts = [server for phase in phases for play in phase for server in play.hosts]
    machines.refuse_unless_running(list({server.id: server for server in hosts}.values()))
    if any(machines.is_unreal(server) for server in hosts):
        return emulated_run.run_tasks(context, [play for phase in phases for play in phase], so_far=so_far)
    return real_run.run_phases(context, phases, so_far=so_far)


def checked(context: Context, phases: list[Phase]) -> Done | Wait:
    """Answer what would be done, changing nothing."""
    phases = [phase for phase in with_hosts(phases) if phase]
    hosts = [server for phase in phases for play in phase for server in play.hosts]
    changes: list[dict[str, Any]] = []
    if any(machines.is_unreal(server) for server in hosts):
        changes = emulated_run.changes([play for phase in phases for play in phase])
        phases = []
    for number, phase in enumerate(phases):
        found = real_run.ended_run(context, f"check-{number}", phase, check_mode=True)
        if isinstance(found, Wait):
            return found
        changes += foreseen(found, phase)
    context.log("Only checked: nothing was changed.")
    return Done({"check_mode": True, "changes": changes})


def foreseen(run: Any, plays: Phase) -> list[dict[str, Any]]:
    """Return the changes that a run in check mode has found, and what it could not know. Raises Refused, Retry."""
    names = dict(zip(real_run.names_of(plays), plays, strict=True))
    changes = [
        {"server": change["host"], "taskserv": names[change["play"]].part.definition.name, **other_facts(change)}
        for change in run.changes
        if change.get("play") in names
    ]
    name = plays[-1].part.definition.name
    failed = {hostname: host for hostname, host in run.hosts.items() if host.get("state") == "failed"}
    if failed and run.error_code == real_run.TASK_FAILED and "install" in plays[0].stages:
        for hostname, host in failed.items():
            text = f"cannot know before {name} is installed: {host.get('error', '')}"
            changes.append({"server": hostname, "taskserv": name, "task": host.get("task", ""), "unknown": text})
        return changes
    real_run.refuse_failed(run)
    return changes


def other_facts(change: dict[str, Any]) -> dict[str, Any]:
    """Return what else a change says."""
    return {key: value for key, value in change.items() if key not in ("host", "play")}


def stopped(context: Context) -> Wait | None:
    """Make sure, at the beginning of an undoing, that nothing of the operation's run goes on anywhere; None then."""
    if progress_of(context.operation).get("stopped"):
        return None
    if runs.request_stop(context.operation):
        return Wait(runs.POLL_SECONDS, message="the run is being stopped, here and on the servers")
    context.save(**Progress(stopped=True, left=[]))
    return None


def removed(context: Context, parts: list[PlanItem], *, purge: bool = False) -> Wait | None:
    """Take one step towards nothing being left of the parts; None when nothing is."""
    parts = [part for part in parts if part.servers]
    if not parts and "removed" not in progress_of(context.operation):
        context.log("Nothing was installed: there is nothing to remove.")
        return None
    install_plan.refuse_foreign_paths(parts)
    return perform(context, removing(parts, purge=purge), so_far="removed")
