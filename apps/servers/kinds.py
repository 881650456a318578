"""The operations of this app."""

from typing import Any

from apps.operations.registry import OperationKind
from apps.servers.api.serializers import creation, deletion, listing, switching
from apps.servers.handlers import create as create_handlers
from apps.servers.handlers import delete as delete_handlers
from apps.servers.handlers import drift as drift_handlers
from apps.servers.handlers import drift_repair as repair_handlers
from apps.servers.handlers import list_step as list_handlers
from apps.servers.handlers import orphans as orphan_handlers
from apps.servers.handlers import power as power_handlers
from apps.servers.services import create, delete, drift, drift_repair, list_step, orphans, power, preview

POWER: dict[str, Any] = {
    "compensate": power_handlers.undo_power,
    "apply_outcome": power.apply_power_outcome,
    "deadline_seconds": 900,
    "validate_input": switching,
    "permission": "server_create",
}
KINDS = [
    OperationKind(
        name=create.CREATE,
        title="Create a server",
        run=create_handlers.create_server,
        compensate=create_handlers.undo_creation,
        apply_outcome=create.apply_creation_outcome,
        deadline_seconds=900,
        submit=create.create_server,
        validate_input=creation,
        permission="server_create",
        preflight=preview.preflight_creation,
        describe=preview.describe_creation,
        price=preview.price_of_creation,
        compensation=lambda result, given: (delete.DELETE, {"server_id": result["server_id"], "force": True}),
        cleanup=lambda operation: (delete.DELETE, {"server_id": operation.params["server"], "force": True}),
    ),
    OperationKind(
        name=delete.DELETE,
        title="Delete a server",
        run=delete_handlers.delete_server,
        compensate=delete_handlers.undo_deletion,
        apply_outcome=delete.apply_deletion_outcome,
        deadline_seconds=900,
        submit=delete.delete_server,
        validate_input=deletion,
        permission="server_delete",
        destroys=True,
        preflight=delete.preflight_deletion,
        describe=preview.describe_deletion,
    ),
    OperationKind(
        name=power.START,
        title="Start a server",
        run=power_handlers.start_server,
        submit=power.start_server,
        compensation=lambda result, given: power.taken_back(power.STOP, result),
        **POWER,
    ),
    OperationKind(
        name=power.STOP,
        title="Stop a server",
        run=power_handlers.stop_server,
        submit=power.stop_server,
        compensation=lambda result, given: power.taken_back(power.START, result),
        **POWER,
    ),
    OperationKind(
        name=power.REBOOT,
        title="Reboot a server",
        run=power_handlers.reboot_server,
        submit=power.reboot_server,
        compensation=lambda result, given: None,
        **POWER,
    ),
    OperationKind(
        name=list_step.LIST,
        title="List the servers of a workspace",
        run=list_handlers.list_servers,
        deadline_seconds=60,
        submit=list_step.submit_list,
        validate_input=listing,
        permission="server_read",
        compensation=lambda result, given: None,
    ),
    OperationKind(
        name=drift.COMPARE,
        title="Compare the machines of an account with its servers",
        run=drift_handlers.compare_servers,
        deadline_seconds=900,
        keep_days=2,
    ),
    OperationKind(
        name=drift_repair.ADOPT,
        title="Adopt what the cloud shows of a server",
        run=repair_handlers.adopt_server,
        apply_outcome=drift_repair.apply_adoption_outcome,
        deadline_seconds=300,
    ),
    OperationKind(
        name=drift_repair.RECREATE,
        title="Recreate a server's machine",
        run=repair_handlers.recreate_server,
        compensate=repair_handlers.undo_recreation,
        apply_outcome=drift_repair.apply_recreation_outcome,
        deadline_seconds=900,
    ),
    OperationKind(
        name=drift_repair.FORGET,
        title="Forget a server whose machine is gone",
        run=repair_handlers.forget_server,
        apply_outcome=drift_repair.apply_forgetting_outcome,
        deadline_seconds=300,
    ),
    OperationKind(
        name=orphans.ADOPT,
        title="Make a server of an orphaned machine",
        run=orphan_handlers.adopt_orphan,
        deadline_seconds=300,
    ),
    OperationKind(
        name=orphans.DELETE,
        title="Delete an orphaned machine",
        run=orphan_handlers.delete_orphan,
        apply_outcome=orphans.apply_deletion_outcome,
        deadline_seconds=900,
    ),
]
