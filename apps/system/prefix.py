"""The lookup `prefix`: text that begins with another, by an index on both databases."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func, Lookup
from django.db.models.indexes import IndexExpression

LAST_CHARACTER = "\U0010ffff"


@CharField.register_lookup
class Prefix(Lookup):
    """A range on SQLite, where LIKE uses no index; on PostgreSQL LIKE, which `varchar_pattern_ops` serves."""

    lookup_name = "prefix"

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Compile to a range."""
        column, params = self.process_lhs(compiler, connection)
        return f"{column} >= %s AND {column} < %s", (*params, self.rhs, *params, f"{self.rhs}{LAST_CHARACTER}")

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Compile to LIKE."""
        column, params = self.process_lhs(compiler, connection)
        return f"{column} LIKE %s", (*params, f"{connection.ops.prep_for_like_query(self.rhs)}%")


class TextPatternOps(Func):
    """In an index: the operator class of PostgreSQL that serves `prefix`, whatever the database's collation."""

    template = "%(expressions)s text_pattern_ops"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        """Compile to the expression alone."""
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


IndexExpression.register_wrappers(*IndexExpression.wrapper_classes, TextPatternOps)
