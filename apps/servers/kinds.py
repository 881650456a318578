"""The operations of this app."""

from apps.operations.registry import Kind
from apps.servers import handlers, services
from apps.servers.api.serializers import creation, deletion

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
]
