"""Changing a taskserv that is there: its options, its servers or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Lower

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs import install_plan, machines
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.config_validation import checked
from apps.taskservs.errors import BadConfig, LastServer, NothingToChange, NotRunning, PrimaryLeaving
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services import credentials, installations
from apps.taskservs.services.create import record
from apps.taskservs.services.delete import refuse_if_required
from apps.taskservs.services.lookup import taskserv_for
from apps.taskservs.topology import refuse_wrong_number

CONFIGURE = "taskserv.configure"
FIXED = "It cannot be changed after the creation: delete the taskserv with purge and create it anew."
Status, State = Taskserv.Status, Installation.State


@dataclass(frozen=True)
class Membership:
    """The servers of a taskserv after a change, in the order of its members, and who comes and goes."""

    members: list[Server]
    joining: list[Server]
    leaving: list[Server]


@transaction.atomic
def configure_taskserv(
    *,
    taskserv_id: str,
    actor: User | None,
    workspace: str | None = None,
    config: dict[str, Any] | None = None,
    servers: list[str] | None = None,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Record what a taskserv is to be and queue the change.

    `config` names the options that change; null returns one to its default, all others keep their values. `servers`
    are all servers that it is to be on: new ones join, those left out leave. Raises NotFound, OtherWorkspace,
    TargetBusy, NotRunning, EntryGone, NothingToChange, BadConfig, UnknownServer, MixedServers, WrongNumberOfServers,
    LastServer, PrimaryLeaving, ServerNotRunning, AlreadyInstalled, InConflict, PortTaken, RequirementLeaving,
    StillRequired.
    """
    if config is None and servers is None:
        raise NothingToChange(field="config")
    taskserv = held_taskserv(taskserv_id, actor, workspace, servers or [])
    definition = install_plan.definition_of(taskserv)
    plain, secrets = merged(definition, taskserv, config or {})
    change = membership(taskserv, definition, servers)
    parts = required_parts(definition, change.joining, taskserv)
    refuse_new_ports(taskserv, definition, plain, change)
    part = PlanItem(
        definition=definition,
        version=taskserv.version,
        config=plain,
        servers=change.members,
        taskserv_id=taskserv.id,
        was=taskserv.status,
    )
    touched = [*change.members, *change.leaving]
    params = {"after": machines.unfinished_on(touched), "before": before(taskserv)}
    if not check_mode:
        record(taskserv.workspace, parts, {})
        store_desired(taskserv, definition, plain, secrets, change)
    return operations.submit(
        kind=CONFIGURE,
        workspace=taskserv.workspace,
        actor=actor,
        target="" if check_mode else taskserv.target,
        params={
            "taskserv": taskserv.id,
            "plan": [each.as_params() for each in [*parts, part]],
            "joining": [server.id for server in change.joining],
            "leaving": [server.id for server in change.leaving],
            **params,
        },
        check_mode=check_mode,
        parent=parent,
    )


def held_taskserv(taskserv_id: str, actor: User | None, workspace: str | None, hostnames: list[str]) -> Taskserv:
    """Return a taskserv that can be changed, its servers and those named locked.

    Raises NotFound, OtherWorkspace, UnknownServer, TargetBusy, NotRunning.
    """
    place = taskserv_for(actor, taskserv_id, workspace).workspace
    keys = [hostname.lower() for hostname in hostnames]
    named = place.servers.annotate(key=Lower("hostname")).filter(key__in=keys).values_list("pk", flat=True)
    current = Installation.objects.filter(taskserv=taskserv_id).values_list("server", flat=True)
    machines.locked(Server.objects.filter(pk__in=[*named, *current]))
    taskserv = taskserv_for(actor, taskserv_id, workspace)
    operations.refuse_if_busy(taskserv.target)
    if taskserv.status not in (Status.RUNNING, Status.FAILED):
        raise NotRunning(taskserv=taskserv.id, status=taskserv.status, advice="wait until it runs.")
    return taskserv


def merged(
    definition: Definition, taskserv: Taskserv, config: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the plain options after a change, and the secrets, None where they stay. Raises BadConfig."""
    if config.get("version", taskserv.version) != taskserv.version:
        what = f"config.version: POST /v1/taskservs/{taskserv.id}/upgrade installs another version"
        raise BadConfig(taskserv=taskserv.name, what=what, details={"config.version": [what]})
    given = {key: value for key, value in config.items() if key != "version"}
    kept = {key: value for key, value in given.items() if value is not None}
    unset = given.keys() - kept.keys()
    hidden = credentials.secret_keys(taskserv)
    stored, became_secret = credentials.split(hidden, taskserv.config)
    plain, secrets = credentials.split(hidden, kept)
    config = {key: value for key, value in {**stored, **plain}.items() if key not in unset}
    unknown = {key: None for key in unset if key not in definition.options}
    checked(definition, {**config, **secrets, **unknown, "version": taskserv.version}, secret=hidden)
    refuse_fixed(definition, stored, config)
    if not given.keys() & hidden and not became_secret:
        return config, None
    stored_secrets = {**became_secret, **credentials.opened(taskserv)}
    known = {key: value for key, value in stored_secrets.items() if key not in unset}
    return config, credentials.completed(definition, {**known, **secrets})


def refuse_fixed(definition: Definition, stored: dict[str, Any], config: dict[str, Any]) -> None:
    """Refuse to change what is settled by the creation. Raises BadConfig."""
    before, after = definition.complete(stored), definition.complete(config)
    what = {f"config.{key}": [FIXED] for key in definition.fixed if before.get(key) != after.get(key)}
    if what:
        raise BadConfig(taskserv=definition.name, what=f"{', '.join(what)}: {FIXED}", details=what)


def membership(taskserv: Taskserv, definition: Definition, hostnames: list[str] | None) -> Membership:
    """Return who is a member after a change.

    Raises LastServer, WrongNumberOfServers, PrimaryLeaving, ServerNotRunning, MixedServers.
    """
    rows = list(taskserv.installations.select_related("server").order_by("position"))
    current = [row.server for row in rows]
    absent = {row.server_id for row in rows if row.state != State.RUNNING and not row.version}
    named = current if hostnames is None else machines.machines_named(taskserv.workspace, hostnames)
    if not named:
        raise LastServer(taskserv=taskserv.id)
    staying = [server for server in current if server in named]
    new = [server for server in named if server not in current]
    leaving = [server for server in current if server not in named]
    refuse_wrong_number(definition, len(named))
    refuse_primary_leaving(taskserv, definition, rows, leaving)
    machines.refuse_unless_running([*staying, *new])
    machines.refuse_mixed([*staying, *new])
    if leaving:
        refuse_if_required(taskserv, leaving)
    joining = [server for server in [*staying, *new] if server in new or server.id in absent]
    return Membership([*staying, *new], joining, leaving)


def refuse_primary_leaving(
    taskserv: Taskserv, definition: Definition, rows: list[Installation], leaving: list[Server]
) -> None:
    """Refuse to take out the only server of its role where no other can take that over. Raises PrimaryLeaving."""
    if len(definition.roles) < 2 or "promote" in definition.tasks:
        return
    for row in rows:
        if row.server in leaving and row.role == definition.roles[0]:
            raise PrimaryLeaving(hostname=row.server.hostname, role=row.role, taskserv=taskserv.id, name=taskserv.name)


def required_parts(definition: Definition, joining: list[Server], taskserv: Taskserv) -> list[PlanItem]:
    """Return the parts that put on joining servers what is required. Raises AlreadyInstalled, InConflict."""
    if not joining:
        return []
    own = set(taskserv.installations.values_list("server", flat=True))
    new = [server for server in joining if server.id not in own]
    if new:
        install_plan.refuse_second(definition, new, install_plan.taskservs_by_server(new))
    return install_plan.parts_for(definition, "", {}, joining, again=taskserv)[:-1]


def refuse_new_ports(taskserv: Taskserv, definition: Definition, config: dict[str, Any], change: Membership) -> None:
    """Refuse ports that others use, where they are new on a server. Raises PortTaken."""
    own, new = definition.ports(taskserv.config), definition.ports(config)
    added = {port: option for port, option in new.items() if port not in own}
    staying = [server for server in change.members if server not in change.joining]
    install_plan.refuse_taken_ports(definition, new, change.joining, but=taskserv.id)
    install_plan.refuse_taken_ports(definition, added, staying, but=taskserv.id)


def before(taskserv: Taskserv) -> dict[str, Any]:
    """Return what a taskserv is before a change, secrets left out."""
    hostnames = taskserv.installations.order_by("position").values_list("server__hostname", flat=True)
    return {
        "status": taskserv.status,
        "version": taskserv.version,
        "config": taskserv.config,
        "servers": list(hostnames),
    }


def store_desired(
    taskserv: Taskserv,
    definition: Definition,
    plain: dict[str, Any],
    secrets: dict[str, Any] | None,
    change: Membership,
) -> None:
    """Write down what a taskserv is to be."""
    facts: dict[str, Any] = {"config": plain, "sealed_previous": taskserv.sealed_secrets}
    if secrets is not None:
        facts["sealed_secrets"] = credentials.sealed(secrets)
    Taskserv.objects.filter(pk=taskserv.pk).update(**facts)
    own = set(taskserv.installations.values_list("server", flat=True))
    installations.add(taskserv, definition, [server for server in change.joining if server.id not in own])
    taskserv.installations.filter(server__in=change.leaving).update(state=State.REMOVING)
