"""What each statement of a claim is for; `claim_postgresql` and `claim_sqlite` have them written out."""

from __future__ import annotations

from dataclasses import dataclass

from apps.operations.models import Operation

FIELDS = Operation._meta.concrete_fields
COLUMNS = ", ".join(column for field in FIELDS if (column := field.column))


@dataclass(frozen=True, kw_only=True)
class ClaimStatements:
    """The statements for one database.

    The claim shares workers fairly: each workspace offers its oldest due operations, and these are interleaved by row
    number (round robin), so that ten thousand of one workspace do not delay the one of another. Within a workspace
    running and pending operations take turns too, so that the first of a burst ends before the last has begun. A
    pending operation is skipped while its own concurrency limit or its workspace's has no free place; a running one and
    one that a worker has just claimed occupy a place. Only kinds that this node knows are claimed, as a node of a newer
    version may be there for others; running ones of other kinds are offered too, so that their worker can say so.
    `deadline_at` moves on by the time for which the operation was due and nobody claimed it, as in a drain.
    """

    # The database's clock.
    now: str
    # Leases up to `max_count` operations to `owner` for `lease` seconds; returns their ids and fences.
    claim: str
    # Returns what `claim` would take next, without taking it.
    peek_next: str
    # Returns the limit of `limit_key` or `workspace` with the fewest free places: its name, free places, allowed.
    reached_limit: str
    # Returns in how many seconds the next operation is due; negative when it is overdue, NULL when there is none.
    seconds_to_next: str
    # Counts a start of a step; returns the operation's columns, or nothing when the lease is lost.
    set_running: str
