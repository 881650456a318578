"""The claim and what belongs to it, in SQLite's SQL; `claim_statements` says what each statement is for."""

from __future__ import annotations

from apps.operations.queue.claim_statements import COLUMNS, ClaimStatements
from apps.system.sql_time import SQLITE_NOW as NOW

FORMAT = "'%%Y-%%m-%%d %%H:%%M:%%f'"
# The end of the millisecond that SQLite takes for now: what became due within it is due.
DUE_UNTIL = f"strftime({FORMAT}, 'now') || '999'"
IS_DUE = f"SELECT 1 FROM operations_operation WHERE due_at <= {DUE_UNTIL} LIMIT 1"  # noqa: S608 - constants only

FREE_PLACES = f"""
    SELECT name, max_running - (
        SELECT count(*) FROM operations_operation AS other
        LEFT JOIN workspaces_workspace AS workspace ON workspace.id = other.workspace_id
        WHERE (other.status = 'running' AND other.due_at IS NOT NULL
            OR other.status = 'pending' AND other.lease_owner <> '' AND other.due_at > {DUE_UNTIL})
            AND (other.limit_key = allowed.name OR 'workspace:' || workspace.name = allowed.name)
    ) AS free, max_running FROM operations_concurrencylimit AS allowed"""  # noqa: S608 - constants only

CANDIDATES = f"""
    WITH concurrency_limit AS MATERIALIZED ({FREE_PLACES}
    ),
    workspace AS (
        SELECT id, coalesce(
            (SELECT free FROM concurrency_limit WHERE concurrency_limit.name = 'workspace:' || named.name), 1000000
        ) AS free
        FROM workspaces_workspace AS named UNION ALL SELECT NULL, 1000000
    ),
    candidate AS (
        SELECT id, due_at, row_number() OVER (
            PARTITION BY workspace_id ORDER BY workspace_turn, (status = 'running') = %(running_last)s, due_at
        ) AS turn
        FROM (
            SELECT due.id, due.due_at, due.status, due.limit_key,
                workspace.id AS workspace_id, workspace.free AS workspace_free,
                row_number() OVER (PARTITION BY workspace.id, due.status ORDER BY due.due_at) AS workspace_turn,
                row_number() OVER (PARTITION BY due.limit_key, due.status ORDER BY due.due_at) AS limit_turn
            FROM workspace JOIN operations_operation AS due ON due.id IN (
                SELECT id FROM (SELECT id FROM operations_operation AS mine
                    WHERE mine.workspace_id IS workspace.id AND mine.due_at <= {DUE_UNTIL}
                        AND mine.kind IN (
                            SELECT value FROM json_each('["' || replace(%(kinds)s, ' ', '","') || '"]')
                        )
                        AND (mine.status <> 'pending' OR workspace.free > 0
                            AND mine.limit_key NOT IN (SELECT name FROM concurrency_limit WHERE free <= 0))
                    ORDER BY mine.workspace_id, mine.due_at LIMIT %(max_count)s)
                UNION
                SELECT id FROM (SELECT id FROM operations_operation AS mine
                    WHERE mine.workspace_id IS workspace.id AND mine.due_at <= {DUE_UNTIL} AND mine.status = 'running'
                    ORDER BY mine.workspace_id, mine.due_at LIMIT %(max_count)s)
            )
        ) AS offered
        WHERE status <> 'pending' OR (
            workspace_turn <= workspace_free
            AND limit_turn <= coalesce(
                (SELECT free FROM concurrency_limit WHERE concurrency_limit.name = offered.limit_key), 1000000
            )
        )
    )"""  # noqa: S608 - constants only

SQLITE = ClaimStatements(
    now=NOW,
    claim=f"""{CANDIDATES}
    UPDATE operations_operation
    SET due_at = strftime({FORMAT}, 'now', '+' || %(lease)s || ' seconds'), lease_owner = %(owner)s, fence = fence + 1,
        deadline_at = strftime({FORMAT}, julianday(deadline_at) + julianday('now') - julianday(due_at))
    WHERE NOT EXISTS (SELECT 1 FROM operations_drainmode)
        AND id IN (SELECT id FROM candidate ORDER BY turn, due_at LIMIT %(max_count)s)
    RETURNING id, fence""",  # noqa: S608 - constants only
    peek_next=f"""{CANDIDATES}
    SELECT operation.id, operation.fence FROM candidate JOIN operations_operation AS operation USING (id)
    WHERE NOT EXISTS (SELECT 1 FROM operations_drainmode) ORDER BY turn, candidate.due_at LIMIT 1""",  # noqa: S608 - constants only
    reached_limit=f"{FREE_PLACES} WHERE name IN (%(limit_key)s, %(workspace)s) ORDER BY free, name LIMIT 1",
    seconds_to_next="SELECT (julianday(min(due_at)) - julianday('now')) * 86400 FROM operations_operation",
    set_running=f"""
    UPDATE operations_operation
    SET due_at = strftime({FORMAT}, 'now', '+' || %(lease)s || ' seconds'),
        crash_count = crash_count + 1, wake_requested = 0,
        status = CASE status WHEN 'pending' THEN 'running' ELSE status END,
        deadline_at = coalesce(deadline_at, strftime({FORMAT}, 'now', '+' || time_limit || ' seconds')),
        started_at = coalesce(started_at, {NOW}),
        updated_at = CASE status WHEN 'pending' THEN {NOW} ELSE updated_at END
    WHERE id = %(id)s AND fence = %(fence)s AND due_at IS NOT NULL AND lease_owner <> ''
    RETURNING {COLUMNS}""",  # noqa: S608 - constants only
)
