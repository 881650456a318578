"""Installing another version of a taskserv that is there."""

from __future__ import annotations

import re

from django.db import transaction

from apps.accounts.models import User
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.taskservs import machines
from apps.taskservs.config_validation import checked
from apps.taskservs.errors import OlderVersion, SameVersion
from apps.taskservs.install_plan import PlanItem, definition_of
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services.configure import before, held_taskserv

UPGRADE = "taskserv.upgrade"


@transaction.atomic
def upgrade_taskserv(
    *,
    taskserv_id: str,
    actor: User | None,
    version: str,
    workspace: str | None = None,
    force: bool = False,
    check_mode: bool = False,
    parent: Operation | None = None,
) -> Operation:
    """Queue the installation of another version, one server after the other, the primary last.

    `force` allows a lower one. Raises NotFound, OtherWorkspace, TargetBusy, NotRunning, EntryGone, UnknownVersion,
    SameVersion, OlderVersion, ServerNotRunning.
    """
    taskserv = held_taskserv(taskserv_id, actor, workspace, [])
    definition = definition_of(taskserv)
    checked(definition, {"version": version})
    rows = list(taskserv.installations.select_related("server").order_by("position"))
    refuse_version(taskserv, version, {row.version for row in rows}, force=force)
    servers = [row.server for row in rows]
    machines.refuse_unless_running(servers)
    part = PlanItem(
        definition=definition,
        version=version,
        config=taskserv.config,
        servers=servers,
        taskserv_id=taskserv.id,
        hosts=[row.server for row in primary_last(rows, definition.roles[0]) if is_undone(row, version)],
        was=taskserv.status,
    )
    params = {"taskserv": taskserv.id, "before": before(taskserv), "after": machines.unfinished_on(servers)}
    if not check_mode:
        Taskserv.objects.filter(pk=taskserv.pk).update(version=version)
    return operations.submit(
        kind=UPGRADE,
        workspace=taskserv.workspace,
        actor=actor,
        target="" if check_mode else taskserv.target,
        params={**params, "downgrade": force, "plan": [part.as_params()], "joining": [], "leaving": []},
        check_mode=check_mode,
        parent=parent,
    )


def primary_last(rows: list[Installation], first_role: str) -> list[Installation]:
    """Return the servers' rows, the last members first, and whoever has the first role at the end."""
    return sorted(rows, key=lambda row: (row.role == first_role, -row.position))


def is_undone(row: Installation, version: str) -> bool:
    """Tell whether a server is to be upgraded: it may have failed on the way to a version that is given up now."""
    return row.version != version or row.state != Installation.State.RUNNING


def refuse_version(taskserv: Taskserv, version: str, installed: set[str], *, force: bool) -> None:
    """Refuse a version that all servers have and are to have, and a lower one. Raises SameVersion, OlderVersion."""
    if installed == {version} == {taskserv.version}:
        raise SameVersion(taskserv=taskserv.id, name=taskserv.name, version=version)
    current = max(installed | {taskserv.version}, key=numbers)
    if numbers(version) < numbers(current) and not force:
        raise OlderVersion(taskserv=taskserv.id, name=taskserv.name, current=current, version=version)


def numbers(version: str) -> list[int]:
    """Return the numbers of a version, in order, to compare it by."""
    return [int(number) for number in re.findall(r"\d+", version)]
