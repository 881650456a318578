"""Every order of events, against the model: a random walk over all that workers, people and clocks may do."""

from copy import copy

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.operations import cancellation, services, transitions
from apps.operations.errors import Refused, Retry, TargetBusy
from apps.operations.handler_api import Done, Wait
from apps.operations.models import Event, Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from tests.operations.model import ENDED, MAX_CRASHES, Model

OWNERS = st.sampled_from(["node-1", "node-2"])
OUTCOMES = st.one_of(
    st.builds(Wait, seconds=st.just(1000), message=st.sampled_from(["one", "two"])),
    st.builds(Retry, st.just("X"), st.just("Later."), after=st.just(1000)),
    st.builds(Done, st.just({"a": 1})),
    st.builds(Refused, st.just("X"), st.just("Never.")),
)
ANY = st.integers(0, 10**6)


class Walk(RuleBasedStateMachine):
    """`given` are all claimed ever given, stale ones too; `begun` are the steps that began, with what they saw."""

    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.models, self.given, self.begun = {}, [], []

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def any_operation(self, number):
        return Operation.objects.get(pk=list(self.models)[number % len(self.models)])

    def any_lease(self, number):
        lease = self.given[-1 - number % len(self.given)]
        return lease, self.models[lease.operation_id]

    # ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────
    @rule(thing=st.sampled_from(["", "a", "b"]), undoable=st.booleans())
    def submit(self, thing, undoable):
        kind = "probe.instant.undoable" if undoable else "probe.instant"
        busy = bool(thing) and any(one.left and one.target == thing for one in self.models.values())
        try:
            with transaction.atomic():  # a refusal takes the whole of its caller's transaction back
                made = services.submit(kind=kind, workspace=None, actor=None, params={}, target=thing)
        except TargetBusy:
            assert busy
        else:
            assert not busy
            self.models[made.pk] = Model(thing, undoable)
            Operation.objects.filter(pk=made.pk).update(due_at=leases.in_seconds(-1), created_at=leases.in_seconds(-1))

    @rule(thing=st.sampled_from(["a", "b"]))
    def submit_unseen(self, thing):
        """The database refuses what the look before it has missed."""
        if any(one.left and one.target == thing for one in self.models.values()):
            with pytest.raises(TargetBusy), transaction.atomic():  # the caller's, which goes with the refusal
                services.submit(
                    kind="probe.instant", workspace=None, actor=None, params={}, target=thing, target_is_new=True
                )

    @precondition(lambda self: self.models)
    @rule(number=ANY)
    def cancel(self, number):
        operation = self.any_operation(number)
        model = self.models[operation.pk]
        can = model.can_cancel()
        assert cancellation.cancel_idle(operation) is can
        if can:
            model.cancel()
        else:
            requested = model.left and model.status == "running"
            assert cancellation.request_cancel(operation) is requested
            model.cancel_requested = model.cancel_requested or requested

    @precondition(lambda self: self.models)
    @rule(number=ANY)
    def take_over(self, number):
        operation = self.any_operation(number)
        model = self.models[operation.pk]
        can = model.can_take_over()
        assert transitions.take_over(operation, reason="Taken over.") is can
        if can:
            model.take_over()

    @precondition(lambda self: self.models)
    @rule(number=ANY)
    def wake(self, number):
        operation = self.any_operation(number)
        transitions.wake(operation.pk)
        self.models[operation.pk].wake()

    # ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    @precondition(lambda self: any(one.left and not one.due for one in self.models.values()))
    @rule(number=ANY)
    def pass_time(self, number):
        """A wait is over, or a lease runs out."""
        late = [id for id, model in self.models.items() if model.left and not model.due]
        id = late[number % len(late)]
        Operation.objects.filter(pk=id).update(due_at=leases.in_seconds(-1))
        self.models[id].due = True

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────────
    @rule(owner=OWNERS, most=st.integers(1, 3))
    def claim(self, owner, most):
        due = {id for id, model in self.models.items() if model.due}
        claimed = leases.claim(owner=owner, max_count=most)
        assert {lease.operation_id for lease in claimed} <= due
        assert len(claimed) == min(most, len(due))
        for lease in claimed:
            self.models[lease.operation_id].claim(owner)
            assert self.models[lease.operation_id].fence == lease.fence
        self.given += claimed

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def begin(self, number):
        lease, model = self.any_lease(number)
        operation = transitions.set_running(lease)
        assert (operation is not None) is model.holds(lease.fence)
        if operation is not None:
            model.begin()
            self.begun.append((lease, operation, copy(model)))

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def renew(self, number):
        lease, model = self.any_lease(number)
        assert leases.renew(lease) is model.holds(lease.fence)
        if model.holds(lease.fence):
            model.due = False

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def write(self, number):
        lease, model = self.any_lease(number)
        operation = Operation.objects.get(pk=lease.operation_id)
        written = transitions.write(lease, operation, state={"a": 1}, event=("info", "A line.", {}))
        assert written is model.holds(lease.fence)
        model.lines += model.holds(lease.fence)

    @precondition(lambda self: self.begun)
    @rule(number=st.integers(0, 2) | ANY, outcome=OUTCOMES)
    def finish(self, number, outcome):
        lease, operation, seen = self.begun[-1 - number % len(self.begun)]
        model = self.models[lease.operation_id]
        rejected = runner.reject_before_run(operation)
        assert type(rejected) is type(seen.rejected_before_run())
        outcome, holds = rejected or outcome, model.holds(lease.fence)
        assert runner.record(operation, lease, outcome) is holds
        if holds:
            model.record(seen, outcome)

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3))
    def hurry(self, number):
        """Its worker is about to be killed."""
        lease, model = self.any_lease(number)
        leases.release_soon(lease)
        if model.holds(lease.fence):
            model.owner, model.due = "", False

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def release_unstarted(self, number):
        lease, model = self.any_lease(number)
        begun = {lease for lease, _, _ in self.begun}
        if lease not in begun:
            leases.release_unstarted(lease)
            if model.holds(lease.fence):
                model.lose_lease(count_as_crash=True)

    @rule(owner=OWNERS, count_as_crash=st.booleans())
    def release_all(self, owner, count_as_crash):
        held = [model for model in self.models.values() if model.left and model.owner == owner]
        assert leases.release_all(owner=owner, count_as_crash=count_as_crash) == len(held)
        for model in held:
            model.lose_lease(count_as_crash=count_as_crash)

    # ── what holds always ─────────────────────────────────────────────────────────────────────────────────────────────
    @invariant()
    def rows_are_as_the_model_says(self):
        for row in Operation.objects.all():
            model = self.models[row.pk]
            seen = (
                row.status,
                row.due_at is not None,
                row.lease_owner,
                row.fence,
                row.crash_count,
                row.attempts,
                row.wake_requested,
            )
            assert seen == (
                *(model.status, model.left, model.owner, model.fence, model.crash_count, model.attempts),
                model.wake_requested,
            ), row.pk
            assert (row.cancel_requested_at is not None) is model.cancel_requested
            if model.status_message is None:
                model.status_message = row.status_message
            assert row.status_message == model.status_message
            assert (row.ended_at is not None) is row.has_ended is (row.status in ENDED)
        assert Operation.objects.filter(due_at__lte=leases.in_seconds(0)).count() == sum(
            model.due for model in self.models.values()
        )

    @invariant()
    def logs_have_no_gaps(self):
        numbers = {id: [] for id in self.models}
        for id, seq in Event.objects.order_by("operation", "seq").values_list("operation", "seq"):
            numbers[id].append(seq)
        assert numbers == {id: list(range(1, model.lines + 1)) for id, model in self.models.items()}

    @invariant()
    def promises_are_kept(self):
        targets = [model.target for model in self.models.values() if model.left and model.target]
        assert len(targets) == len(set(targets)), "at most one unfinished operation a target"
        for model in self.models.values():
            assert model.runs <= MAX_CRASHES + model.uncounted_stops, "a step is not repeated without end"
            assert len(set(model.ends)) <= 1, "an ended status never changes"
            assert model.left or model.status in ENDED, "what is not due has ended"


@pytest.mark.parametrize("walks", [25, pytest.param(150, marks=pytest.mark.slow)])
def test_every_order_of_events_keeps_the_promises(database, probes, walks):
    calm = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Walk, settings=settings(max_examples=walks, stateful_step_count=40, deadline=None, suppress_health_check=calm)
    )
