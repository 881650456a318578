"""The operations of this app."""

from apps.operations.registry import Kind
from apps.servers import handlers, services
from apps.servers.api.serializers import creation, deletion, switching
from apps.servers.handlers import power as power_handlers
from apps.servers.services import power

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
]
