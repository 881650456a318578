"""The claim and the statements that belong to it, for the database in use."""

from __future__ import annotations

from django.db import connection

from apps.operations.queue.claim_postgresql import POSTGRESQL
from apps.operations.queue.claim_sqlite import SQLITE
from apps.operations.queue.claim_statements import ClaimStatements


def sql() -> ClaimStatements:
    """Return the statements; they differ in how they lock and in functions of time."""
    return POSTGRESQL if connection.vendor == "postgresql" else SQLITE
