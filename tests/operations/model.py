"""What the transitions promise, in the fewest words: one operation as a few plain facts."""

from dataclasses import dataclass, field

from apps.operations.errors import Refused, Retry
from apps.operations.steps import Done, Wait

MOST_CRASHES, MOST_TRIES = 3, 10
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
    crashes: int = 0
    tries: int = 0
    woken: bool = False
    asked: bool = False
    note: str = ""
    lines: int = 0
    runs: int = 0
    pardons: int = 0
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
        self.crashes += 1
        self.woken = self.due = False
        self.runs += self.crashes <= MOST_CRASHES
        self.status = "running" if self.status == "pending" else self.status

    def forestalled(self):
        if self.crashes > MOST_CRASHES:
            return Refused("WORKER_LOST", "Lost.")
        return Retry("CANCELLED", "Asked.") if self.asked and not self.is_undoing else None

    def record(self, begun, outcome):
        """Take in what a step returned that began when the facts were those of `begun`."""
        if not begun.is_undoing and self.asked and (self.undoable or not isinstance(outcome, Done)):
            return self.cancel()
        if isinstance(outcome, Retry) and begun.tries + 1 >= MOST_TRIES:
            outcome = Refused("X", "Given up.")
        if isinstance(outcome, Wait):
            self.lines += outcome.note != begun.note
            return self.rest(tries=0, note=outcome.note)
        if isinstance(outcome, Retry):
            self.lines += 1
            return self.rest(tries=self.tries + 1, note=None)
        return self.end(self.status if begun.is_undoing else "completed" if isinstance(outcome, Done) else "failed")

    def rest(self, *, tries, note):
        self.owner, self.crashes, self.runs, self.pardons = "", 0, 0, 0
        self.due, self.woken = self.woken, False
        self.tries, self.note = tries, note

    def end(self, status):
        self.left = self.due = False
        self.owner, self.note, self.crashes, self.status = "", "", 0, status
        self.lines += 1
        self.ends.append(status)

    def hand_back(self, *, innocent):
        self.owner, self.due = "", True
        self.fence += 1
        if innocent and self.crashes:
            self.crashes -= 1
            self.pardons += 1

    # ── everybody else ────────────────────────────────────────────────────────────────────────────────────────────────
    def can_cancel(self):
        return self.left and (self.status == "pending" or (self.status == "running" and not self.owner))

    def cancel(self):
        self.left = self.due = self.undoable and self.status == "running"
        self.status, self.owner, self.asked = "cancelled", "", True
        self.crashes = self.tries = self.runs = self.pardons = 0
        self.note = ""
        self.fence += 1
        self.lines += 1
        self.ends.append("cancelled")

    def can_take_over(self):
        return self.left and (self.status == "pending" or not self.owner)

    def take_over(self):
        self.left = self.due = False
        self.status, self.owner, self.note = "cancelled", "", ""
        self.fence += 1
        self.lines += 1
        self.ends.append("cancelled")

    def wake(self):
        if self.left:
            self.woken = True
            self.due = self.due or not self.owner
