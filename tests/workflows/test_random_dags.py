"""The planner on random graphs with all features, played to the end; only states are simulated."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.workflows import planner
from apps.workflows.actions import Fail, Finish, Refuse, Retry, Rollback, Skip, Stop, Submit, Wait
from apps.workflows.definition import parse
from apps.workflows.step_graph import StepGraph, StepState

START = datetime(2026, 1, 1, tzinfo=UTC)
GIVEN = {"parameters": {}, "existing": None}
MAX_ROUNDS = 400


@st.composite
def graphs(draw):
    """A definition: each step may need any before it."""
    steps = []
    for number in range(draw(st.integers(1, 7))):
        names = [each["name"] for each in steps]
        needs = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        outcomes = [draw(st.sampled_from(["success", "success", "failure", "always"])) for _ in needs]
        step = {"name": f"s{number}", "uses": "probe.make", "with": {"name": f"s{number}"}}
        step["needs"] = [{"step": name, "outcome": outcome} for name, outcome in zip(needs, outcomes, strict=True)]
        if draw(st.booleans()):
            step["for_each"] = list(range(draw(st.integers(0, 3))))
            step["max_parallel"] = draw(st.integers(1, 3))
        if draw(st.integers(0, 5)) == 0:
            step["when"] = False
        if draw(st.booleans()):
            step["retry"] = {"attempts": draw(st.integers(1, 3)), "delay_seconds": draw(st.sampled_from([0, 5]))}
        steps.append(step)
    raw = {"title": "random", "steps": draw(st.permutations(steps))}
    raw["on_failure"] = draw(st.sampled_from(["rollback", "stop", "continue"]))
    if draw(st.booleans()):
        raw["max_parallel"] = draw(st.integers(1, 3))
    return parse(raw)


def is_in_progress(state):
    return state.status == "running" or state.rollback == "running"


class Play:
    """A run: what the planner asks for is done, what runs ends as is drawn."""

    def __init__(self, definition, draw):
        self.definition, self.draw = definition, draw
        self.states, self.now, self.cancelled, self.starts = {}, START, False, {}
        self.order = []

    def plan(self):
        if self.cancelled:
            first = planner.plan_cancellation(self.definition, GIVEN, self.states)
            assert first == planner.plan_cancellation(self.definition, GIVEN, self.states)
            return first
        first = planner.plan(self.definition, GIVEN, self.states, self.now)
        assert first == planner.plan(self.definition, GIVEN, self.states, self.now)
        return first

    def step(self, name):
        return next(step for step in self.definition.steps if step.name == name.partition("[")[0])

    def of(self, step):
        """The states of a step's operations."""
        names = [one.name for one in StepGraph(self.definition, GIVEN, {}).instances(step)]
        return [self.states.get(name, StepState(name)) for name in names]

    def do(self, action):
        name = getattr(action, "step", None)
        state = self.states.get(name, StepState(name)) if name else None
        if isinstance(action, Submit):
            self.begin(action, state)
        elif isinstance(action, Skip | Refuse):
            assert state.status == "waiting"
            status = "skipped" if isinstance(action, Skip) else "failed"
            self.states[name] = replace(state, status=status, ended_at=self.now)
        elif isinstance(action, Stop):
            assert state.status == "running" and not state.stopping
            self.states[name] = replace(state, stopping=True)
        elif isinstance(action, Rollback):
            assert state.inverse and not state.rollback
            self.states[name] = replace(state, rollback="running")
            self.check_limits()

    def begin(self, action, state):
        assert not self.cancelled
        step = self.step(action.step)
        assert state.status == ("failed" if isinstance(action, Retry) else "waiting")
        self.starts[action.step] = self.starts.get(action.step, 0) + 1
        assert self.starts[action.step] <= step.attempts
        for need in step.needs:
            self.check_need(self.step(need), step.outcomes.get(need, "success"))
        self.states[action.step] = StepState(
            action.step, "running", state.attempt + 1, input=action.input, begun_at=self.now
        )
        self.check_limits()

    def check_need(self, need, outcome):
        found = self.of(need)
        assert not any(state.status == "running" for state in found)
        if outcome == "success":
            assert all(state.status in ("completed", "skipped") for state in found)
        elif outcome == "failure":  # it has failed, or could not begin
            assert any(state.status in ("failed", "cancelled", "waiting", "skipped") for state in found) or not found

    def check_limits(self):
        if self.definition.max_parallel:
            assert sum(map(is_in_progress, self.states.values())) <= self.definition.max_parallel
        for step in self.definition.steps:
            if step.max_parallel:
                assert sum(map(is_in_progress, self.of(step))) <= step.max_parallel

    def pass_time(self, wait):
        """Let one operation end, or the time come that is waited for."""
        moving = [state for state in self.states.values() if is_in_progress(state)]
        if not moving:
            assert wait.seconds < planner.LOOK_AGAIN or wait.steps == ()
            self.now += timedelta(seconds=max(wait.seconds, 0.001))
            return
        state = moving[self.draw(st.integers(0, len(moving) - 1))]
        self.now += timedelta(seconds=1)
        if state.rollback == "running":
            self.order.append(state.name)
            self.states[state.name] = replace(state, rollback="completed")
        elif state.stopping:
            self.states[state.name] = replace(state, status="cancelled", ended_at=self.now)
        else:
            good = self.draw(st.integers(0, 3)) > 0
            back = ("probe.unmake", {"name": state.name})
            facts = {"status": "completed", "result": {}, "inverse": back} if good else {"status": "failed"}
            self.states[state.name] = replace(state, **facts, ended_at=self.now)

    def play(self):
        for _ in range(MAX_ROUNDS):
            *todo, last = self.plan()
            for action in todo:
                self.do(action)
            if isinstance(last, Finish | Fail):
                assert not todo
                return last
            assert isinstance(last, Wait)
            if not self.cancelled and self.draw(st.integers(0, 30)) == 0:
                self.cancelled = True
                continue
            if not todo:
                self.pass_time(last)
        raise AssertionError("it does not end")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_every_run_ends_and_keeps_the_rules(data):
    play = Play(data.draw(graphs()), data.draw)
    end = play.play()
    states = list(play.states.values())
    assert not any(state.status == "running" or state.rollback == "running" for state in states)
    if play.cancelled or (isinstance(end, Fail) and play.definition.on_failure == "rollback"):
        assert not any(state.inverse and state.rollback != "completed" for state in states)
        for name in play.order:  # nothing was taken back before what stands on it
            later = play.order[play.order.index(name) + 1 :]
            needs = set(play.step(name).needs)
            assert not {each.partition("[")[0] for each in play.order[: play.order.index(name)]} & needs, later
    if isinstance(end, Finish) and not play.cancelled:
        assert all(state.status in ("completed", "skipped") for state in states)
