"""The operations of this app."""

from apps.operations.registry import OperationKind
from apps.providers import handlers, services

KINDS = [
    OperationKind(
        name=services.REFRESH,
        title="Read the plans and zones of a provider",
        run=handlers.refresh_catalog,
        apply_outcome=services.apply_check_outcome,
        deadline_seconds=300,
        keep_days=2,
    ),
    OperationKind(
        name=services.CHECK,
        title="Test an account",
        run=handlers.check_account,
        apply_outcome=services.apply_check_outcome,
        deadline_seconds=60,
        max_attempts=2,
    ),
]
