"""The claim and what belongs to it, in PostgreSQL's SQL; `claim_statements` says what each statement is for."""

from __future__ import annotations

from apps.operations.queue.claim_statements import COLUMNS, ClaimStatements

NOW = "statement_timestamp()"

FREE_PLACES = f"""
    SELECT name, max_running - (
        SELECT count(*) FROM operations_operation AS other
        LEFT JOIN workspaces_workspace AS workspace ON workspace.id = other.workspace_id
        WHERE (other.status = 'running' AND other.due_at IS NOT NULL
            OR other.status = 'pending' AND other.lease_owner <> '' AND other.due_at > {NOW})
            AND (other.limit_key = allowed.name OR 'workspace:' || workspace.name = allowed.name)
    ) AS free, max_running FROM operations_concurrencylimit AS allowed"""  # noqa: S608 - constants only

# `BETWEEN id AND id` instead of `= id`, and the order by workspace, keep the planner on the index (workspace, due_at):
# the one on due_at alone would read all rows of a busy workspace to find the two of a quiet one.
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
            FROM workspace CROSS JOIN LATERAL (
                (SELECT id, due_at, status, limit_key FROM operations_operation AS mine
                    WHERE mine.workspace_id BETWEEN workspace.id AND workspace.id AND mine.due_at <= {NOW}
                        AND mine.kind = ANY(string_to_array(%(kinds)s, ' '))
                        AND (mine.status <> 'pending' OR workspace.free > 0
                            AND mine.limit_key NOT IN (SELECT name FROM concurrency_limit WHERE free <= 0))
                    ORDER BY mine.workspace_id, mine.due_at LIMIT %(max_count)s)
                UNION
                (SELECT id, due_at, status, limit_key FROM operations_operation AS mine
                    WHERE mine.workspace_id BETWEEN workspace.id AND workspace.id AND mine.due_at <= {NOW}
                        AND mine.status = 'running'
                    ORDER BY mine.workspace_id, mine.due_at LIMIT %(max_count)s)
                UNION
                (SELECT id, due_at, status, limit_key FROM operations_operation AS mine
                    WHERE mine.workspace_id IS NULL AND workspace.id IS NULL AND mine.due_at <= {NOW}
                        AND mine.kind = ANY(string_to_array(%(kinds)s, ' '))
                        AND (mine.status <> 'pending' OR workspace.free > 0
                            AND mine.limit_key NOT IN (SELECT name FROM concurrency_limit WHERE free <= 0))
                    ORDER BY mine.workspace_id, mine.due_at LIMIT %(max_count)s)
                UNION
                (SELECT id, due_at, status, limit_key FROM operations_operation AS mine
                    WHERE mine.workspace_id IS NULL AND workspace.id IS NULL AND mine.due_at <= {NOW}
                        AND mine.status = 'running'
                    ORDER BY mine.workspace_id, mine.due_at LIMIT %(max_count)s)
            ) AS due
        ) AS offered
        WHERE status <> 'pending' OR (
            workspace_turn <= workspace_free
            AND limit_turn <= coalesce(
                (SELECT free FROM concurrency_limit WHERE concurrency_limit.name = offered.limit_key), 1000000
            )
        )
    )"""  # noqa: S608 - constants only

# LATERAL, IS TRUE and ANY(ARRAY) make the planner look up candidates by their keys, one after the other until there are
# enough: with no or old statistics, as after a burst, it would read the whole table for each claim.
POSTGRESQL = ClaimStatements(
    now=NOW,
    claim=f"""{CANDIDATES},
    taken AS (
        SELECT operation.id FROM (SELECT id FROM candidate ORDER BY turn, due_at) AS ordered CROSS JOIN LATERAL (
            SELECT mine.id FROM operations_operation AS mine
            WHERE mine.id = ordered.id AND (mine.due_at <= {NOW}) IS TRUE FOR UPDATE SKIP LOCKED
        ) AS operation
        WHERE NOT EXISTS (SELECT FROM operations_drainmode) LIMIT %(max_count)s
    )
    UPDATE operations_operation AS operation
    SET due_at = {NOW} + make_interval(secs => %(lease)s), lease_owner = %(owner)s, fence = fence + 1,
        deadline_at = deadline_at + ({NOW} - due_at)
    WHERE operation.id = ANY(ARRAY(SELECT id FROM taken))
    RETURNING operation.id, operation.fence""",  # noqa: S608 - constants only
    peek_next=f"""{CANDIDATES}
    SELECT id, fence FROM operations_operation WHERE id = (
        SELECT id FROM candidate WHERE NOT EXISTS (SELECT FROM operations_drainmode) ORDER BY turn, due_at LIMIT 1
    )""",  # noqa: S608 - constants only
    reached_limit=f"{FREE_PLACES} WHERE name IN (%(limit_key)s, %(workspace)s) ORDER BY free, name LIMIT 1",
    seconds_to_next=f"SELECT extract(epoch FROM min(due_at) - {NOW}) FROM operations_operation",  # noqa: S608 - constants only
    # The start need not be on the disk before the step begins: if the database crashes in the next moment, it has lost
    # one start of a step that may be repeated, but neither the claim nor the fence.
    set_running=f"""
    UPDATE operations_operation
    SET due_at = {NOW} + make_interval(secs => %(lease)s), crash_count = crash_count + 1, wake_requested = false,
        status = CASE status WHEN 'pending' THEN 'running' ELSE status END,
        deadline_at = coalesce(deadline_at, {NOW} + make_interval(secs => time_limit)),
        started_at = coalesce(started_at, {NOW}),
        updated_at = CASE status WHEN 'pending' THEN {NOW} ELSE updated_at END
    WHERE id = %(id)s AND fence = %(fence)s AND due_at IS NOT NULL AND lease_owner <> ''
        AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
    RETURNING {COLUMNS}""",  # noqa: S608 - constants only
)
