"""System checks: a bad deployment is named, with the setting that mends it, before it starts."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def check_deployment(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Hold everything but a development machine to production's rules."""
    if settings.DEVELOPMENT:
        return []
    rules = [
        (
            settings.SECRET_KEY == settings.DEFAULT_SECRET_KEY or len(settings.SECRET_KEY) < 50,
            "system.E001",
            "SECRET_KEY is the development key, or shorter than 50 characters.",
            "Set SECRET_KEY to 50 or more random characters, or ENVIRONMENT=development on your own machine.",
        ),
        (settings.DEBUG, "system.E002", "DEBUG is on: errors would show code and settings.", "Unset DEBUG."),
        (
            settings.EMULATOR,
            "system.E003",
            "EMULATOR is on: anybody could create machines that do not exist.",
            "Unset EMULATOR.",
        ),
        (
            uses_sqlite() and settings.NODES > 1,
            "system.E004",
            f"SQLite is one machine's file, and NODES says that {settings.NODES} nodes share it.",
            "Set DATABASE_URL to a PostgreSQL database, or NODES=1.",
        ),
        (
            not settings.ALLOWED_HOSTS,
            "system.E005",
            "ALLOWED_HOSTS is empty: every request would be refused.",
            "Set ALLOWED_HOSTS to the names the service is reached by, separated by commas.",
        ),
    ]
    return [Error(message, hint=hint, id=id) for broken, id, message, hint in rules if broken]


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
