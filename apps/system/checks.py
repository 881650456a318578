"""System checks: a bad deployment is named, with the setting that mends it, before it starts."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info

from apps.system.deployment import faults, weak_credentials_keys


def check_deployment(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Hold everything but a development machine to production's rules."""
    if settings.DEVELOPMENT:
        return []
    found: list[CheckMessage] = [Error(each.message, hint=each.hint, id=each.id) for each in faults(settings)]
    weak = len(weak_credentials_keys(settings.CREDENTIALS_KEYS[1:]))
    if weak:
        hint = "Run `manage.py rotate_secrets`, then take them out."
        found.append(Info(f"{weak} of the older CREDENTIALS_KEYS can be guessed.", hint=hint, id="system.I001"))
    return found


def check_database(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Refuse databases on which the engine's claim cannot be made safely."""
    engine = settings.DATABASES["default"]["ENGINE"]
    if not engine.endswith(("sqlite3", "postgresql")):
        return [
            Error(f"{engine} is not supported.", hint="Set DATABASE_URL to PostgreSQL or SQLite.", id="system.E006")
        ]
    if uses_sqlite() and sqlite3.sqlite_version_info < (3, 38):
        return [
            Error(
                f"SQLite {sqlite3.sqlite_version} is older than 3.38.",
                hint="Use a newer Python, or set DATABASE_URL to a PostgreSQL database.",
                id="system.E007",
            )
        ]
    if settings.DATABASES["default"].get("OPTIONS", {}).get("pool"):
        return [
            Error(
                "The connection pool is inherited by forked workers, which then share sockets.",
                hint="Remove `pool` from the database's OPTIONS.",
                id="system.E008",
            )
        ]
    return []


def uses_sqlite() -> bool:
    """Tell whether the database is a file on this machine."""
    return settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
