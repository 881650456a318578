"""Operations in the admin: what happens, why it waits, and cancelling."""

from apps.operations.admin.pages import EventAdmin, OperationAdmin
from apps.operations.admin.parts import operations_table, target_pages

__all__ = ["EventAdmin", "OperationAdmin", "operations_table", "target_pages"]
