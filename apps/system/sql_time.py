"""The database's time, as text that sorts as times do."""

from __future__ import annotations

from typing import Any

from django.db.models import functions

# As Django writes times: six digits of a second's fraction, or none when it is zero. SQLite, which compares times as
# texts, gives three.
SQLITE_NOW = "replace(strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now') || '000', '.000000', '')"


class Now(functions.Now):
    """The time, for columns that lists are ordered by: a page that begins after a row must not begin with it."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Compile for SQLite."""
        return self.as_sql(compiler, connection, template=SQLITE_NOW.replace("%%", "%%%%"), **context)
