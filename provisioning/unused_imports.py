"""Modules that libraries import and that nothing here uses: a fifth of each start.

Optional ones are hidden from when the settings are read until all apps are loaded; the command line of httpx, which
brings three packages, for ever.
"""

from __future__ import annotations

import sys
from types import ModuleType

from django.core.signals import setting_changed

# For test clients, for highlighting code, for formats of JSON Schema that nobody names, for the REST framework's own
# OpenAPI schema, and for fields of PostgreSQL, with which comes its driver on SQLite too.
UNUSED = (
    *("requests", "pygments", "idna", "jsonpointer", "croniter", "uritemplate", "yaml"),
    "django.contrib.postgres.fields",
)
NEVER_USED = ("httpx._main",)
TESTS, SIGNALS = "django.test", "django.test.signals"  # simplejwt imports a signal by way of Django's test tools


def hide() -> None:
    """Let imports of these modules fail, as where they are not installed: None hides a module."""
    for name in (*UNUSED, *NEVER_USED):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    if TESTS not in sys.modules:
        sys.modules[TESTS] = ModuleType(TESTS)
        sys.modules[SIGNALS] = ModuleType(SIGNALS)
        sys.modules[SIGNALS].setting_changed = setting_changed  # type: ignore[attr-defined]


def show() -> None:
    """Let them be imported again."""
    for name in UNUSED:
        if sys.modules.get(name, sys) is None:
            del sys.modules[name]
    if TESTS in sys.modules and not hasattr(sys.modules[TESTS], "__path__"):
        del sys.modules[TESTS], sys.modules[SIGNALS]
