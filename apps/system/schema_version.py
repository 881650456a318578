"""Whether the database's tables are those that this version's code was written for."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader

from apps.system.database import is_unavailable

MAX_NAMED = 3


class SchemaMismatch(Exception):
    """The tables are older or newer than the code; the text says what to run."""


def refuse_mismatch() -> None:
    """Raise SchemaMismatch where the tables are those of another version; ask nothing of a database that is away."""
    try:
        fault = mismatch()
    except Error as error:
        if not is_unavailable(error):
            raise
        return
    finally:
        connection.close()  # a process that is forked later must not share it
    if fault:
        raise SchemaMismatch(fault)


def mismatch() -> str:
    """Say how the tables differ from what the code needs and what to run; empty when they do not.

    Names are compared first, for that imports no migration; only a difference is looked at in full.
    """
    applied = set()
    with connection.cursor() as cursor:
        if "django_migrations" in connection.introspection.table_names(cursor):
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
    if shipped() == {(app, name) for app, name in applied if app in installed()}:
        return ""
    loader = MigrationLoader(connection)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    missing = sorted(key for key in loader.graph.nodes if key not in loader.applied_migrations)
    unknown = sorted(
        key
        for key in applied
        if key[0] in loader.migrated_apps and key not in loader.disk_migrations and key not in replaced
    )
    if missing:
        return f"The database lacks migrations of this version ({named(missing)}): run `manage.py migrate`."
    if unknown:
        return (
            f"The database has migrations that version {settings.VERSION} does not know ({named(unknown)}): "
            "install the newer version that made them, or restore a backup of before."
        )
    return ""


def installed() -> dict[str, str]:
    """Return the modules of all apps' migrations, by the apps' labels."""
    return {config.label: f"{config.name}.migrations" for config in apps.get_app_configs()}


def shipped() -> set[tuple[str, str]]:
    """Return apps and names of the migrations that the code comes with."""
    found = set()
    for label, module in installed().items():
        try:
            package = import_module(module)
        except ModuleNotFoundError:
            continue
        modules = pkgutil.iter_modules(getattr(package, "__path__", []))
        found |= {(label, each.name) for each in modules if each.name[0] not in "_~"}
    return found


def named(keys: list[tuple[str, str]]) -> str:
    """Name the first migrations."""
    more = f" and {len(keys) - MAX_NAMED} more" if len(keys) > MAX_NAMED else ""
    return ", ".join(".".join(key) for key in keys[:MAX_NAMED]) + more
