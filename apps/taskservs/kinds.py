"""The operations of this app."""

from apps.operations.registry import Kind
from apps.taskservs import handlers, services
from apps.taskservs.api.serializers import creation, deletion

KINDS = [
    Kind(
        name=services.CREATE,
        title="Install a taskserv",
        run=handlers.create_taskserv,
        undo=handlers.undo_creation,
        settle=services.settle_creation,
        deadline_seconds=3600,
        submit=services.create_taskserv,
        input=creation,
        permission="taskserv_create",
        inverse=lambda result, given: (services.DELETE, {"taskserv_id": result["taskserv_id"]}),
    ),
    Kind(
        name=services.DELETE,
        title="Remove a taskserv",
        run=handlers.delete_taskserv,
        settle=services.settle_deletion,
        deadline_seconds=3600,
        submit=services.delete_taskserv,
        input=deletion,
        permission="taskserv_delete",
    ),
]
