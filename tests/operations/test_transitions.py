"""Every order of events, against the model: a random walk over all that workers, people and clocks may do."""

from copy import copy

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.operations import claims, runner, services, transitions
from apps.operations.errors import Refused, Retry, TargetBusy
from apps.operations.models import Event, Operation
from apps.operations.steps import Done, Wait
from tests.operations.model import ENDED, MOST_CRASHES, Model

OWNERS = st.sampled_from(["node-1", "node-2"])
OUTCOMES = st.one_of(
    st.builds(Wait, seconds=st.just(1000), note=st.sampled_from(["one", "two"])),
    st.builds(Retry, st.just("X"), st.just("Later."), after=st.just(1000)),
    st.builds(Done, st.just({"a": 1})),
    st.builds(Refused, st.just("X"), st.just("Never.")),
)
ANY = st.integers(0, 10**6)


class Walk(RuleBasedStateMachine):
    """`given` are all leases ever given, stale ones too; `begun` are the steps that began, with what they saw."""

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
            Operation.objects.filter(pk=made.pk).update(due_at=claims.in_seconds(-1), created_at=claims.in_seconds(-1))

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
        assert transitions.cancel_idle(operation) is can
        if can:
            model.cancel()
        else:
            asked = model.left and model.status == "running"
            assert transitions.ask_to_stop(operation) is asked
            model.asked = model.asked or asked

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
        Operation.objects.filter(pk=id).update(due_at=claims.in_seconds(-1))
        self.models[id].due = True

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────────
    @rule(owner=OWNERS, most=st.integers(1, 3))
    def claim(self, owner, most):
        due = {id for id, model in self.models.items() if model.due}
        leases = claims.claim(owner=owner, most=most)
        assert {lease.operation_id for lease in leases} <= due
        assert len(leases) == min(most, len(due))
        for lease in leases:
            self.models[lease.operation_id].claim(owner)
            assert self.models[lease.operation_id].fence == lease.fence
        self.given += leases

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def begin(self, number):
        lease, model = self.any_lease(number)
        operation = claims.begin(lease)
        assert (operation is not None) is model.holds(lease.fence)
        if operation is not None:
            model.begin()
            self.begun.append((lease, operation, copy(model)))

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def renew(self, number):
        lease, model = self.any_lease(number)
        assert claims.renew(lease) is model.holds(lease.fence)
        if model.holds(lease.fence):
            model.due = False

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def write(self, number):
        lease, model = self.any_lease(number)
        assert transitions.write(lease, state={"a": 1}, event=("info", "A line.", {})) is model.holds(lease.fence)
        model.lines += model.holds(lease.fence)

    @precondition(lambda self: self.begun)
    @rule(number=st.integers(0, 2) | ANY, outcome=OUTCOMES)
    def finish(self, number, outcome):
        lease, operation, seen = self.begun[-1 - number % len(self.begun)]
        model = self.models[lease.operation_id]
        forestalled = runner.forestalled(operation)
        assert type(forestalled) is type(seen.forestalled())
        outcome, holds = forestalled or outcome, model.holds(lease.fence)
        assert runner.record(operation, lease, outcome) is holds
        if holds:
            model.record(seen, outcome)

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3))
    def hurry(self, number):
        """Its worker is about to be killed."""
        lease, model = self.any_lease(number)
        claims.hurry(lease)
        if model.holds(lease.fence):
            model.owner, model.due = "", False

    @precondition(lambda self: self.given)
    @rule(number=st.integers(0, 3) | ANY)
    def give_back(self, number):
        lease, model = self.any_lease(number)
        begun = {lease for lease, _, _ in self.begun}
        if lease not in begun:
            claims.give_back(lease)
            if model.holds(lease.fence):
                model.hand_back(innocent=False)

    @rule(owner=OWNERS, innocent=st.booleans())
    def hand_back(self, owner, innocent):
        held = [model for model in self.models.values() if model.left and model.owner == owner]
        assert claims.hand_back(owner=owner, innocent=innocent) == len(held)
        for model in held:
            model.hand_back(innocent=innocent)

    # ── what holds always ─────────────────────────────────────────────────────────────────────────────────────────────
    @invariant()
    def rows_are_as_the_model_says(self):
        for row in Operation.objects.all():
            model = self.models[row.pk]
            seen = (row.status, row.due_at is not None, row.lease_owner, row.fence, row.crashes, row.tries, row.woken)
            assert seen == (
                *(model.status, model.left, model.owner, model.fence, model.crashes, model.tries),
                model.woken,
            ), row.pk
            assert (row.cancel_asked_at is not None) is model.asked
            if model.note is None:
                model.note = row.note
            assert row.note == model.note
            assert (row.ended_at is not None) is row.has_ended is (row.status in ENDED)
        assert Operation.objects.filter(due_at__lte=claims.in_seconds(0)).count() == sum(
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
            assert model.runs <= MOST_CRASHES + model.pardons, "a step is not tried for ever"
            assert len(set(model.ends)) <= 1, "an ended status never changes"
            assert model.left or model.status in ENDED, "what is not due has ended"


def test_every_order_of_events_keeps_the_promises(database, probes):
    calm = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    walks = 100 if connection.vendor == "sqlite" else 50
    run_state_machine_as_test(
        Walk, settings=settings(max_examples=walks, stateful_step_count=40, deadline=None, suppress_health_check=calm)
    )
