"""Installing a taskserv: what is asked for, what is there already, and what the outcome means for the rows."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.servers.models import Server
from apps.taskservs import install_plan, machines
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.catalog_loader import definition_named, secret_options
from apps.taskservs.config_validation import checked
from apps.taskservs.errors import AlreadyInstalled
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.progress import progress_of
from apps.taskservs.services import credentials, installations
from apps.taskservs.topology import refuse_wrong_number
from apps.workspaces.models import Workspace
from apps.workspaces.services import workspace_named

CREATE = "taskserv.create"
Status = Taskserv.Status


@transaction.atomic
def create_taskserv(
    *,
    workspace: str,
    actor: User | None,
    name: str,
    servers: list[str],
    config: dict[str, Any] | None = None,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Record a taskserv, with the required ones that its servers lack, and queue their installation.

    One that is on exactly these servers already is completed where its installation failed, and run again where it
    runs as asked for. In check mode nothing is recorded; the operation lists what would be done. Raises
    UnknownWorkspace, UnknownTaskserv, BadDefinition, RequirementCycle, UnknownVersion, BadConfig, UnknownServer,
    MixedServers, WrongNumberOfServers, ServerNotRunning, AlreadyInstalled, InConflict, PortTaken, RequirementLeaving,
    TargetBusy.
    """
    place = workspace_named(workspace)
    definition = definition_named(name, place.path)
    version, options = checked(definition, config or {}, secret=secret_options(name, place.path))
    plain, secrets = credentials.split(definition.secrets, options)
    found = machines.machines_named(place, servers)
    machines.refuse_unless_running(found)
    machines.refuse_mixed(found)
    refuse_wrong_number(definition, len(found))
    there = settled_on(name, found)
    if there and there.status == Status.RUNNING:
        refuse_other(there, definition, version, plain, secrets)
    parts = install_plan.parts_for(definition, version, plain, found, again=there)
    for part in parts:
        ports = part.definition.ports(part.config)
        install_plan.refuse_taken_ports(part.definition, ports, part.servers, but=there.id if there else "")
    if there:
        adopt(there, parts[-1], secrets)
    after = machines.unfinished_on(found)
    if not check_mode:
        record(place, parts, secrets)
    return operations.submit(
        kind=CREATE,
        workspace=place,
        actor=actor,
        target="" if check_mode else parts[-1].target,
        target_is_new=there is None,
        params={"plan": [part.as_params() for part in parts], "after": after},
        check_mode=check_mode,
        parent=parent,
    )


def settled_on(name: str, servers: list[Server]) -> Taskserv | None:
    """Return the taskserv of that name that is on exactly these servers and runs, or failed; the latest of several."""
    server_ids = {server.id for server in servers}
    near = Taskserv.objects.filter(name=name, installations__server=servers[0])
    for each in near.filter(status__in=(Status.RUNNING, Status.FAILED)).order_by("-created_at", "-id"):
        if set(each.installations.values_list("server", flat=True)) == server_ids:
            return each
    return None


def refuse_other(
    taskserv: Taskserv, definition: Definition, version: str, plain: dict[str, Any], secrets: dict[str, Any]
) -> None:
    """Refuse to create what runs with another version or configuration. Raises AlreadyInstalled naming what to call."""
    known = credentials.opened(taskserv) if secrets else {}
    same_secrets = all(known.get(key) == value for key, value in secrets.items())
    same = definition.complete(plain) == definition.complete(taskserv.config) and same_secrets
    if same and version == taskserv.version:
        return
    verb, what = (
        ("configure", "another configuration") if version == taskserv.version else ("upgrade", taskserv.version)
    )
    raise AlreadyInstalled(
        hostname=taskserv.servers.values_list("hostname", flat=True)[0],
        name=taskserv.name,
        taskserv=taskserv.id,
        status=f"{taskserv.status}, with {what}; to change it, POST /v1/taskservs/{taskserv.id}/{verb}",
    )


def adopt(taskserv: Taskserv, part: PlanItem, secrets: dict[str, Any]) -> None:
    """Let a plan's last part stand for a taskserv that is there; what runs as asked for is left out of a completion."""
    part.taskserv_id, part.was = taskserv.id, taskserv.status
    if taskserv.status == Status.RUNNING:
        return
    known = credentials.opened(taskserv)
    same = taskserv.config == part.config and all(known.get(key) == value for key, value in secrets.items())
    undone = taskserv.installations.exclude(state=Installation.State.RUNNING, version=part.version)
    left = set(undone.values_list("server", flat=True))
    if same and left:
        part.hosts = [server for server in part.servers if server.id in left]


def record(workspace: Workspace, parts: list[PlanItem], secrets: dict[str, Any]) -> None:
    """Write the rows of what is about to be installed; `secrets` are those of the last part."""
    for part in parts:
        given = secrets if part is parts[-1] else {}
        facts = {"version": part.version, "config": part.config}
        if not part.taskserv_id:
            values = credentials.completed(part.definition, given)
            taskserv = Taskserv.objects.create(
                workspace=workspace, name=part.definition.name, sealed_secrets=credentials.sealed(values), **facts
            )
            installations.add(taskserv, part.definition, part.servers)
            part.taskserv_id = taskserv.id
        elif part.was == Status.FAILED:
            taskserv = Taskserv.objects.get(pk=part.taskserv_id)
            values = credentials.completed(part.definition, {**credentials.opened(taskserv), **given})
            facts |= {"sealed_secrets": credentials.sealed(values), "status": Status.PENDING}
            Taskserv.objects.filter(pk=taskserv.pk).update(**facts)


def apply_creation_outcome(operation: Operation, outcome: Outcome) -> None:
    """Bring the rows to what an installation came to."""
    if operation.check_mode:
        return
    for part in operation.params["plan"]:
        apply_to_part(operation, outcome, part)


def apply_to_part(operation: Operation, outcome: Outcome, part: dict[str, Any]) -> None:
    """Bring one taskserv of the plan to what the installation came to; one that ran before is not taken back."""
    row, was = Taskserv.objects.filter(pk=part["taskserv"]), part.get("was", "")
    begun = bool(progress_of(operation).get("begun"))
    match outcome:
        case Outcome.COMPLETED:
            row.update(status=Status.RUNNING)
        case Outcome.FAILED | Outcome.CANCELLED_LEFTOVER if begun or not was:
            installations.interrupt([part["taskserv"]], operation.error or "")
            installations.set_status([part["taskserv"]])
        case Outcome.UNDOING if was != Status.RUNNING:
            row.update(status=Status.DELETING)
        case Outcome.CANCELLED_CLEAN if not was or (begun and was != Status.RUNNING):
            row.delete()
        case _ if was:
            row.update(status=was)
