"""One line for each operation that starts or ends, in development."""

from __future__ import annotations

import logging

from django.utils import timezone

from apps.operations.models import Operation

logger = logging.getLogger(__name__)


def log_start(operation: Operation) -> None:
    """Log that an operation's first step begins."""
    logger.info("operation %s %s started", operation.pk, operation.kind)


def log_end(operation: Operation, status: str, error: str = "", *, is_rollback: bool = False) -> None:
    """Log how an operation or its rollback ended, how many seconds after it was submitted, and its error, if any."""
    seconds = (timezone.now() - operation.created_at).total_seconds()
    outcome = ("not rolled back" if error else "rolled back") if is_rollback else status
    reason = f": {error}" if error else ""
    logger.info("operation %s %s %s after %.1f s%s", operation.pk, operation.kind, outcome, seconds, reason)
