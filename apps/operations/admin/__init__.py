"""Operations in the admin: what happens, why it waits, and cancelling."""

from apps.operations.admin.pages import EventAdmin, OperationAdmin
from apps.operations.admin.parts import kind_pages, operations_table, status_badge, target_pages, waiting

__all__ = [
    "EventAdmin",
    "OperationAdmin",
    "kind_pages",
    "operations_table",
    "status_badge",
    "target_pages",
    "waiting",
]
