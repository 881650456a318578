"""The operations of this app."""

from apps.operations.registry import Kind
from apps.providers import handlers, services

KINDS = [
    Kind(
        name=services.REFRESH,
        title="Read a provider's plans and zones",
        run=handlers.refresh_catalogue,
        settle=services.settle_account,
        deadline_seconds=300,
    ),
    Kind(
        name=services.CHECK,
        title="Test an account",
        run=handlers.check_account,
        settle=services.settle_account,
        deadline_seconds=60,
        most_tries=2,
    ),
]
