"""The operations of this app."""

from typing import Any

from apps.operations.registry import OperationKind
from apps.taskservs.api import workflow_inputs
from apps.taskservs.handlers import change, create, delete, verify
from apps.taskservs.services.change_outcomes import apply_change_outcome
from apps.taskservs.services.configure import CONFIGURE, configure_taskserv
from apps.taskservs.services.create import CREATE, apply_creation_outcome, create_taskserv
from apps.taskservs.services.credentials import secrets_of_configuration, secrets_of_creation, secrets_of_operation
from apps.taskservs.services.delete import DELETE, apply_deletion_outcome, delete_taskserv
from apps.taskservs.services.health import VERIFY, verify_taskserv
from apps.taskservs.services.preflight import preflight_change, preflight_creation
from apps.taskservs.services.upgrade import UPGRADE, upgrade_taskserv


def change_taken_back(result: dict[str, Any], given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the change that brings back the options and servers that a change has replaced; secrets stay."""
    before = result["before"]
    options = {key: before["config"].get(key) for key in given.get("config") or {}}
    back = {"taskserv_id": result["taskserv_id"], "config": options}
    return CONFIGURE, {**back, **({"servers": before["servers"]} if given.get("servers") else {})}


KINDS = [
    OperationKind(
        name=CREATE,
        title="Install a taskserv",
        run=create.create_taskserv,
        compensate=create.undo_creation,
        apply_outcome=apply_creation_outcome,
        deadline_seconds=3600,
        secrets=secrets_of_operation,
        submit=create_taskserv,
        validate_input=workflow_inputs.creation,
        permission="taskserv_create",
        secret_input=secrets_of_creation,
        preflight=preflight_creation,
        compensation=lambda result, given: (DELETE, {"taskserv_id": result["taskserv_id"]}),
    ),
    OperationKind(
        name=CONFIGURE,
        title="Change a taskserv's options or servers",
        run=change.configure_taskserv,
        compensate=change.undo_configuration,
        apply_outcome=apply_change_outcome,
        deadline_seconds=3600,
        secrets=secrets_of_operation,
        submit=configure_taskserv,
        validate_input=workflow_inputs.configuration,
        permission="taskserv_create",
        secret_input=secrets_of_configuration,
        preflight=preflight_change,
        compensation=change_taken_back,
    ),
    OperationKind(
        name=UPGRADE,
        title="Upgrade a taskserv",
        run=change.upgrade_taskserv,
        compensate=change.undo_upgrade,
        apply_outcome=apply_change_outcome,
        deadline_seconds=7200,
        secrets=secrets_of_operation,
        submit=upgrade_taskserv,
        validate_input=workflow_inputs.upgrade,
        permission="taskserv_create",
        preflight=preflight_change,
    ),
    OperationKind(
        name=VERIFY,
        title="Verify a taskserv",
        run=verify.verify_taskserv,
        compensate=verify.stop_verification,
        deadline_seconds=900,
        keep_days=2,
        secrets=secrets_of_operation,
        submit=verify_taskserv,
        validate_input=workflow_inputs.verification,
        permission="taskserv_create",
        preflight=preflight_change,
        compensation=lambda result, given: None,
    ),
    OperationKind(
        name=DELETE,
        title="Remove a taskserv",
        run=delete.delete_taskserv,
        compensate=delete.stop_deletion,
        apply_outcome=apply_deletion_outcome,
        deadline_seconds=3600,
        secrets=secrets_of_operation,
        submit=delete_taskserv,
        validate_input=workflow_inputs.deletion,
        permission="taskserv_delete",
        destroys=True,
    ),
]
