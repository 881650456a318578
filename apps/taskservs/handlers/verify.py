"""Verifying a taskserv: it is used, and its configuration compared with the one asked for; nothing is changed."""

from __future__ import annotations

from typing import Any

from apps.operations.errors import Refused
from apps.operations.handler_api import Context, Done, Wait
from apps.operations.models import Event
from apps.servers.models import Server
from apps.taskservs import emulated_run, install_plan, machines, real_run
from apps.taskservs.handlers.change import REAPPLY, there
from apps.taskservs.handlers.steps import stopped, wait_for_others
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.models import AnsibleRun, Installation, Taskserv
from apps.taskservs.plays import Phase, Play
from apps.taskservs.services import health

Health = Installation.Health
AT_BOOT = "Start it at boot"  # a task of the role run_service, in check mode
STATES = {"ok": Health.HEALTHY, "failed": Health.DEGRADED, "unreachable": Health.UNREACHABLE}
Findings = dict[str, dict[str, str]]


def verify_taskserv(context: Context) -> Done | Wait:
    """Use the taskserv on every server, then compare its configuration. Raises Refused (TASKSERV_DEGRADED)."""
    taskserv = Taskserv.objects.filter(pk=context.params["taskserv"]).first()
    if taskserv is None:
        raise Refused("NOT_FOUND", f"Taskserv {context.params['taskserv']} has been deleted.")
    if turn := wait_for_others(context):
        return turn
    part = install_plan.begun_part(taskserv)
    up = [server for server in part.servers if server.status == Server.Status.RUNNING]
    if any(machines.is_unreal(server) for server in part.servers):
        play = Play(part=part, stages=("verify",), hosts=up)
        facts = {"taskserv_id": taskserv.id, "health": Health.UNKNOWN.value, "emulated": True}
        return emulated_run.run_tasks(context, [play], so_far="walked") or Done(facts)
    return real_verification(context, taskserv, part, up)


def real_verification(context: Context, taskserv: Taskserv, part: PlanItem, up: list[Server]) -> Done | Wait:
    """Verify on real machines. Raises Refused."""
    findings: Findings = {
        server.id: {"health": Health.UNREACHABLE, "error": f"{server.hostname} is {server.status}."}
        for server in part.servers
        if server not in up
    }
    for name in ("verify", "verify-rest"):  # a run in which a server does not answer does nothing on the others
        left = [server for server in up if server.id not in findings]
        used = real_run.ended_run(context, name, verifying(part, left)) if left else None
        if isinstance(used, Wait):
            return used
        if used is not None:
            findings |= {id: found for server in left for id, found in found_on(server, used).items()}
    healthy = [server for server in up if findings.get(server.id, {}).get("health") == Health.HEALTHY]
    compared = compare(context, part, healthy)
    if isinstance(compared, Wait):
        return compared
    for server in healthy:
        findings[server.id]["drift"] = drift_of(compared, server.hostname) if compared else ""
    if not health.note_findings(taskserv, findings):
        return Done({"taskserv_id": taskserv.id, "health": Health.UNKNOWN.value})
    return conclude(context, taskserv, part, findings)


def verifying(part: PlanItem, servers: list[Server]) -> Phase:
    """Return the plays that use the taskserv."""
    return [Play(part=part, stages=("verify",), hosts=servers)]


def found_on(server: Server, run: AnsibleRun) -> Findings:
    """Return what a run found on a server; nothing where it did nothing there. Raises Refused for the run itself."""
    host = run.hosts.get(server.hostname, {})
    if run.error_code not in ("", real_run.TASK_FAILED, real_run.UNREACHABLE):
        raise Refused(run.error_code, run.error)
    return {server.id: finding(host)} if host.get("state") in STATES else {}


def finding(host: dict[str, Any]) -> dict[str, str]:
    """Return what a run found of a host."""
    return {"health": STATES.get(host.get("state", ""), Health.UNKNOWN), "error": host.get("error", "")}


def compare(context: Context, part: PlanItem, healthy: list[Server]) -> AnsibleRun | Wait | None:
    """Return the run that shows, in check mode, what configuring would change; None where there is nothing to ask."""
    stages = there(part, REAPPLY)
    if not healthy or not stages:
        return None
    plays = [Play(part=part, stages=stages, hosts=healthy)]
    return real_run.ended_run(context, "drift", plays, check_mode=True)


def drift_of(run: AnsibleRun, hostname: str) -> str:
    """Return sentences about what configuring would change on a host; empty for nothing."""
    changes = [change for change in run.changes if change.get("host") == hostname]
    idle = [name for change in changes if change["task"] == AT_BOOT for name in change.get("services", [])]
    found = dict.fromkeys(what_changes(change) for change in changes if change["task"] != AT_BOOT)
    texts = [f"{name} does not start at boot; configuring would change that." for name in idle]
    if found:
        texts.append(f"Its configuration is not as asked for; configuring would change: {', '.join(found)}.")
    return " ".join(texts)[:1000]


def what_changes(change: dict[str, Any]) -> str:
    """Return a task that would change something, with the files that it would change."""
    files = ", ".join(change.get("paths", []))
    return f"{change['task']} ({files})" if files else str(change["task"])


def conclude(context: Context, taskserv: Taskserv, part: PlanItem, findings: Findings) -> Done:
    """Log the drift and return the findings. Raises Refused when the taskserv does not work on all servers."""
    for server in part.servers:
        if findings.get(server.id, {}).get("drift"):
            context.log(
                f"{server.hostname}: {findings[server.id]['drift']}", level=Event.Level.WARNING, server=server.hostname
            )
    bad = [server for server in part.servers if findings.get(server.id, {}).get("health") != Health.HEALTHY]
    if bad:
        texts = [real_run.sentence(server.hostname, findings.get(server.id, {})) for server in bad]
        raise Refused("TASKSERV_DEGRADED", f"{taskserv.name} does not work on all servers. {' '.join(texts)}")
    servers = [{"hostname": server.hostname, **findings[server.id]} for server in part.servers]
    return Done(
        {"taskserv_id": taskserv.id, "health": health.worst(each["health"] for each in servers), "servers": servers}
    )


def stop_verification(context: Context) -> Done | Wait:
    """Stop the run of a cancelled verification; it has changed nothing."""
    return stopped(context) or Done()
