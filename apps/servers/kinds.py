"""The operations of this app."""

from apps.operations.registry import Kind
from apps.servers import handlers, services
from apps.servers.api.serializers import creation, deletion, switching
from apps.servers.handlers import drift as drift_handlers
from apps.servers.handlers import orphans as orphan_handlers
from apps.servers.handlers import power as power_handlers
from apps.servers.handlers import repairs as repair_handlers
from apps.servers.services import drift, orphans, power, repairs

POWER = {
    "undo": power_handlers.undo_power,
    "settle": power.settle_power,
    "deadline_seconds": 900,
    "input": switching,
    "permission": "server_create",
}
KINDS = [
    Kind(
        name=services.CREATE,
        title="Create a server",
        run=handlers.create_server,
        undo=handlers.undo_creation,
        settle=services.settle_creation,
        deadline_seconds=900,
        submit=services.create_server,
        input=creation,
        permission="server_create",
        inverse=lambda result, given: (services.DELETE, {"server_id": result["server_id"], "force": True}),
        leftover=lambda operation: (services.DELETE, {"server_id": operation.params["server"], "force": True}),
    ),
    Kind(
        name=services.DELETE,
        title="Delete a server",
        run=handlers.delete_server,
        undo=handlers.undo_deletion,
        settle=services.settle_deletion,
        deadline_seconds=900,
        submit=services.delete_server,
        input=deletion,
        permission="server_delete",
    ),
    Kind(
        name=services.START,
        title="Start a server",
        run=power_handlers.start_server,
        submit=power.start_server,
        inverse=lambda result, given: power.taken_back(services.STOP, result),
        **POWER,
    ),
    Kind(
        name=services.STOP,
        title="Stop a server",
        run=power_handlers.stop_server,
        submit=power.stop_server,
        inverse=lambda result, given: power.taken_back(services.START, result),
        **POWER,
    ),
    Kind(
        name=services.REBOOT,
        title="Reboot a server",
        run=power_handlers.reboot_server,
        submit=power.reboot_server,
        inverse=lambda result, given: None,
        **POWER,
    ),
    Kind(
        name=drift.COMPARE,
        title="Compare an account's machines with its servers",
        run=drift_handlers.compare_servers,
        deadline_seconds=900,
    ),
    Kind(
        name=repairs.ADOPT,
        title="Adopt what the cloud shows of a server",
        run=repair_handlers.adopt_server,
        settle=repairs.settle_adoption,
        deadline_seconds=300,
    ),
    Kind(
        name=repairs.RECREATE,
        title="Recreate a server's machine",
        run=repair_handlers.recreate_server,
        undo=repair_handlers.undo_recreation,
        settle=repairs.settle_recreation,
        deadline_seconds=900,
    ),
    Kind(
        name=repairs.FORGET,
        title="Forget a server whose machine is gone",
        run=repair_handlers.forget_server,
        settle=repairs.settle_forgetting,
        deadline_seconds=300,
    ),
    Kind(
        name=orphans.ADOPT,
        title="Make a server of an orphaned machine",
        run=orphan_handlers.adopt_orphan,
        deadline_seconds=300,
    ),
    Kind(
        name=orphans.DELETE,
        title="Delete an orphaned machine",
        run=orphan_handlers.delete_orphan,
        settle=orphans.settle_deletion,
        deadline_seconds=900,
    ),
]
