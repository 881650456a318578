"""The operations of this app."""

from apps.operations.registry import Kind
from apps.providers import handlers, services

KINDS = [
    Kind(
        name=services.REFRESH,
        title="Read a provider's plans and zones",
        run=handlers.refresh_catalogue,
        deadline_seconds=300,
    ),
]
