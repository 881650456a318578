"""A model of the transitions for Hypothesis: one operation as a few fields."""

from dataclasses import dataclass, field

from apps.operations.errors import Refused, Retry
from apps.operations.handler_api import Done, Wait
from apps.operations.worker.runner import Cancelled

MAX_CRASHES, MAX_ATTEMPTS = 3, 10
ENDED = ("completed", "failed", "cancelled")


@dataclass
class Model:
    """`left` says that something is left to do, `due` that a worker may take it now, `owner` who holds it."""

    target: str
    undoable: bool
    status: str = "pending"
    left: bool = True
    due: bool = True
    owner: str = ""
    fence: int = 0
    crash_count: int = 0
    attempts: int = 0
    wake_requested: bool = False
    cancel_requested: bool = False
    status_message: str = ""
    lines: int = 0
    runs: int = 0
    uncounted_stops: int = 0
    ends: list = field(default_factory=list)

    def holds(self, fence):
        return self.left and bool(self.owner) and self.fence == fence

    @property
    def is_undoing(self):
        return self.status == "cancelled" and self.left

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def claim(self, owner):
        self.owner, self.due = owner, False
        self.fence += 1

    def begin(self):
        self.crash_count += 1
        self.wake_requested = self.due = False
        self.runs += self.crash_count <= MAX_CRASHES
        self.status = "running" if self.status == "pending" else self.status

    def rejected_before_run(self):
        if self.crash_count > MAX_CRASHES:
            return Refused("WORKER_LOST", "Lost.")
        return Cancelled() if self.cancel_requested and not self.is_undoing else None

    def record(self, begun, outcome):
        """Take in what a step returned that began when the facts were those of `begun`."""
        if not begun.is_undoing and self.cancel_requested and (self.undoable or not isinstance(outcome, Done)):
            return self.cancel()
        if isinstance(outcome, Retry) and begun.attempts + 1 >= MAX_ATTEMPTS:
            outcome = Refused("X", "Given up.")
        if isinstance(outcome, Wait):
            self.lines += outcome.message != begun.status_message
            return self.release(attempts=0, status_message=outcome.message)
        if isinstance(outcome, Retry):
            self.lines += 1
            return self.release(attempts=self.attempts + 1, status_message=None)
        return self.end(self.status if begun.is_undoing else "completed" if isinstance(outcome, Done) else "failed")

    def release(self, *, attempts, status_message):
        self.owner, self.crash_count, self.runs, self.uncounted_stops = "", 0, 0, 0
        self.due, self.wake_requested = self.wake_requested, False
        self.attempts, self.status_message = attempts, status_message

    def end(self, status):
        self.left = self.due = False
        self.owner, self.status_message, self.crash_count, self.status = "", "", 0, status
        self.lines += 1
        self.ends.append(status)

    def lose_lease(self, *, count_as_crash):
        self.owner, self.due = "", True
        self.fence += 1
        if not count_as_crash and self.crash_count:
            self.crash_count -= 1
            self.uncounted_stops += 1

    # ── everybody else ────────────────────────────────────────────────────────────────────────────────────────────────
    def can_cancel(self):
        return self.left and (self.status == "pending" or (self.status == "running" and not self.owner))

    def cancel(self):
        self.left = self.due = self.undoable and self.status == "running"
        self.status, self.owner, self.cancel_requested = "cancelled", "", True
        self.crash_count = self.attempts = self.runs = self.uncounted_stops = 0
        self.status_message = ""
        self.fence += 1
        self.lines += 1
        self.ends.append("cancelled")

    def can_take_over(self):
        return self.left and (self.status == "pending" or not self.owner)

    def take_over(self):
        self.left = self.due = False
        self.status, self.owner, self.status_message = "cancelled", "", ""
        self.fence += 1
        self.lines += 1
        self.ends.append("cancelled")

    def wake(self):
        if self.left:
            self.wake_requested = True
            self.due = self.due or not self.owner
