"""How operations on taskservs are done again with the same values; secrets stay those that the taskserv has."""

from __future__ import annotations

from typing import Any

from apps.operations.admin import Rerun, register_rerun
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from apps.taskservs.services import configure, create, delete, health, upgrade


def last_part(operation: Operation) -> dict[str, Any]:
    """Return the part of an operation's plan that is the requested taskserv's."""
    return operation.params["plan"][-1]


def hostnames(ids: list[str]) -> list[str]:
    """Return the names of the servers that are still there, in the order of their ids."""
    names = dict(Server.objects.filter(pk__in=ids).values_list("pk", "hostname"))
    return [names[id] for id in ids if id in names]


def create_again(operation: Operation, actor: Any) -> Operation:
    """Install once more, or check that again."""
    part = last_part(operation)
    return create.create_taskserv(
        workspace=operation.workspace.name if operation.workspace else "",
        actor=actor,
        name=part["name"],
        servers=hostnames(part["servers"]),
        config={**part["config"], "version": part["version"]},
        check_mode=operation.check_mode,
    )


def configure_again(operation: Operation, actor: Any) -> Operation:
    """Apply the same options on the same servers."""
    part = last_part(operation)
    return configure.configure_taskserv(
        taskserv_id=operation.params["taskserv"],
        actor=actor,
        config=part["config"],
        servers=hostnames(part["servers"]),
        check_mode=operation.check_mode,
    )


def upgrade_again(operation: Operation, actor: Any) -> Operation:
    """Install the same version."""
    return upgrade.upgrade_taskserv(
        taskserv_id=operation.params["taskserv"],
        actor=actor,
        version=last_part(operation)["version"],
        force=bool(operation.params.get("downgrade")),
        check_mode=operation.check_mode,
    )


def verify_again(operation: Operation, actor: Any) -> Operation:
    """Verify again."""
    return health.verify_taskserv(taskserv_id=operation.params["taskserv"], actor=actor)


def delete_again(operation: Operation, actor: Any) -> Operation:
    """Remove it after all."""
    return delete.delete_taskserv(
        taskserv_id=operation.params["taskserv"],
        actor=actor,
        purge=bool(operation.params.get("purge")),
        check_mode=operation.check_mode,
    )


def is_there(operation: Operation) -> bool:
    """Tell whether the taskserv is still there; a check of an installation needs none."""
    key = operation.params.get("taskserv") or last_part(operation).get("taskserv")
    return Taskserv.objects.filter(pk=key).exists() if key else operation.check_mode


for kind, submit in (
    (create.CREATE, create_again),
    (configure.CONFIGURE, configure_again),
    (upgrade.UPGRADE, upgrade_again),
    (health.VERIFY, verify_again),
):
    register_rerun(kind, Rerun(permission="taskserv_create", submit=submit, suits=is_there))
register_rerun(
    delete.DELETE,
    Rerun(
        permission="taskserv_delete",
        submit=delete_again,
        suits=is_there,
        warning="The taskserv is removed from its servers; its data go as well if that was asked for.",
    ),
)
