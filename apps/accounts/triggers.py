"""A trigger that ends all sessions of a user who is deactivated, whichever statement does it.

A form, a bulk action, a command, `QuerySet.update` or plain SQL: each way to deactivate somebody would otherwise have
to think of the tokens, which reactivation would revive. It is made after each `migrate`, not by a migration, for
SQLite loses a table's triggers when a migration alters the table.
"""

from __future__ import annotations

from django.db import connections

SQLITE = """
CREATE TRIGGER IF NOT EXISTS accounts_user_deactivated AFTER UPDATE OF is_active ON accounts_user
WHEN OLD.is_active AND NOT NEW.is_active
BEGIN
    UPDATE accounts_tokenfamily SET revoked_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
        WHERE user_id = NEW.id AND revoked_at IS NULL;
    UPDATE accounts_user SET session_epoch = session_epoch + 1 WHERE id = NEW.id;
END"""
POSTGRESQL = """
CREATE OR REPLACE FUNCTION accounts_end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_tokenfamily SET revoked_at = now() WHERE user_id = NEW.id AND revoked_at IS NULL;
    UPDATE accounts_user SET session_epoch = session_epoch + 1 WHERE id = NEW.id;
    RETURN NULL;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'accounts_user_deactivated' AND tgrelid = 'accounts_user'::regclass
    ) THEN
        CREATE TRIGGER accounts_user_deactivated AFTER UPDATE OF is_active ON accounts_user FOR EACH ROW
        WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION accounts_end_sessions();
    END IF;
END $$"""


def ensure_triggers(using: str) -> None:
    """Create the trigger where it is missing."""
    connection = connections[using]
    if "accounts_user" not in connection.introspection.table_names():
        return  # migrated back to nothing
    with connection.cursor() as cursor:
        cursor.execute({"sqlite": SQLITE, "postgresql": POSTGRESQL}[connection.vendor])
