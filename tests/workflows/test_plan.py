"""The planner alone: no database, no clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.workflows import planner
from apps.workflows.actions import Fail, Finish, Refuse, Retry, Rollback, Skip, Stop, Submit, Wait
from apps.workflows.definition import parse
from apps.workflows.foreseen import foreseen
from apps.workflows.step_graph import StepGraph, StepState
from tests.workflows.conftest import step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GIVEN = {"parameters": {}, "existing": None}


def definition(*steps, **raw):
    return parse({"title": "t", "steps": list(steps), **raw})


def plan(what, states=(), given=GIVEN, now=NOW):
    return planner.plan(what, given, {state.name: state for state in states}, now)


def done(name, at=0, **more):
    facts = {"input": {"name": name}, "result": {"name": name}, "inverse": ("probe.unmake", {"name": name})}
    return StepState(name, "completed", 1, ended_at=NOW + timedelta(seconds=at), **{**facts, **more})


def failed(name, **more):
    return StepState(
        name, "failed", **{"attempt": 1, "input": {"name": name}, "error": "Broke.", "ended_at": NOW, **more}
    )


def running(name, **more):
    return StepState(name, "running", 1, input={"name": name}, operation="op", **{"begun_at": NOW, **more})


CHAIN = [step("a"), step("b", ["a"]), step("c", ["b"])]


def test_it_starts_what_needs_nothing():
    assert plan(definition(step("a"), step("b"), step("c", ["a"]))) == [
        Submit("a", "probe.make", {"name": "a"}),
        Submit("b", "probe.make", {"name": "b"}),
        Wait(30, ()),
    ]


def test_it_waits_while_operations_run():
    assert plan(definition(*CHAIN), [running("a")]) == [Wait(30, ("a",))]


def test_it_goes_on_when_needs_are_met_and_finishes_with_outputs():
    what = definition(*CHAIN, outputs={"last": "{{ steps.c.result.name }}"})
    assert plan(what, [done("a")])[0] == Submit("b", "probe.make", {"name": "b"})
    assert plan(what, [done("a"), done("b"), done("c")]) == [Finish({"last": "c"})]


def test_it_plans_the_same_twice_and_nothing_new_once_applied():
    what = definition(
        step("a"), step("many", ["a"], for_each="{{ steps.a.result.items }}", given={"name": "{{ item }}"})
    )
    states = {"a": done("a", result={"items": ["x", "y", "z"]})}
    first = planner.plan(what, GIVEN, states, NOW)
    assert first == planner.plan(what, GIVEN, states, NOW)
    assert [action.step for action in first[:-1]] == ["many[0]", "many[1]", "many[2]"]
    for action in first[:-1]:
        states[action.step] = running(action.step)
    assert planner.plan(what, GIVEN, states, NOW) == [Wait(30, ("many[0]", "many[1]", "many[2]"))]


def test_it_expands_two_thousand_and_gathers_them():
    what = definition(
        step("many", for_each="{{ range(2000) | list }}", given={"name": "n-{{ item }}", "data": "{{ index }}"}),
        step("all", ["many"], given={"data": "{{ steps.many.each | map(attribute='input.name') | list }}"}),
    )
    first = plan(what)
    assert len(first) == 2001
    assert first[1999] == Submit("many[1999]", "probe.make", {"name": "n-1999", "data": 1999})
    states = [done(f"many[{n}]", input={"name": f"n-{n}"}) for n in range(2000)]
    [gathered, _] = plan(what, states)
    assert len(gathered.input["data"]) == 2000
    assert [type(action) for action in plan(what, states[:-1])] == [Submit, Wait]


def test_it_follows_a_chain_of_two_thousand():
    what = definition(step("s0"), *(step(f"s{n}", [f"s{n - 1}"]) for n in range(1, 2000)))
    assert [action.step for action in plan(what)[:-1]] == ["s0"]
    states = [done(f"s{n}", at=n) for n in range(1999)]
    assert [action.step for action in plan(what, states)[:-1]] == ["s1999"]
    assert plan(what, [*states, failed("s1999")])[:-1] == [Rollback("s1998", "probe.unmake", {"name": "s1998"})]


def test_it_takes_an_empty_for_each_as_done():
    what = definition(step("none", for_each=[]), step("b", ["none"]), outputs={"all": "{{ steps.none.result }}"})
    assert [action.step for action in plan(what)[:-1]] == ["b"]
    assert plan(what, [done("b")]) == [Finish({"all": []})]


def test_it_skips_steps_whose_condition_is_false_and_goes_on():
    given = {"parameters": {"wanted": False}, "existing": None}
    declared = {"properties": {"wanted": {"type": "boolean"}}}
    what = definition(step("a", when="{{ parameters.wanted }}"), step("b", ["a"]), parameters=declared)
    assert plan(what, given=given)[0] == Skip("a", "its condition is not met")
    assert plan(what, [StepState("a", "skipped")], given)[0] == Submit("b", "probe.make", {"name": "b"})


@pytest.mark.parametrize(
    "broken",
    [
        step("a", given={"data": "{{ parameters['no' ~ 'thing'] }}"}),
        step("a", when="{{ 'no' }}"),
        step("a", for_each="{{ 5 }}"),
        step("a", for_each="{{ range(3000) }}"),
        step("a", given={"data": "{{ 1 / 0 }}"}),
    ],
)
def test_it_refuses_a_step_whose_expressions_fail(broken):
    [refused, _] = plan(definition(broken))
    assert isinstance(refused, Refuse), refused
    [failure] = plan(definition(broken), [StepState("a", "failed", 1, error=refused.error)])
    assert failure.code == "STEP_FAILED"


def test_it_retries_after_the_pause_and_no_more_than_allowed():
    what = definition(step("a", retry={"attempts": 2, "delay_seconds": 10}))
    assert plan(what, [failed("a")]) == [Wait(10, ())]
    later = NOW + timedelta(seconds=10)
    assert plan(what, [failed("a")], now=later) == [Retry("a", "probe.make", {"name": "a"}), Wait(0, ())]
    [failure] = plan(what, [failed("a", attempt=2)], now=later)
    assert failure == Fail("STEP_FAILED", "Step a failed: Broke.")


def test_it_takes_away_what_a_failed_attempt_left_before_the_next():
    what = definition(step("a", retry={"attempts": 2}))
    left = failed("a", inverse=("probe.unmake", {"name": "a"}))
    assert plan(what, [left])[0] == Rollback("a", "probe.unmake", {"name": "a"})
    assert plan(what, [replace(left, rollback="running")]) == [Wait(30, ("a",))]
    assert plan(what, [replace(left, rollback="completed")])[0] == Retry("a", "probe.make", {"name": "a"})
    assert isinstance(plan(what, [replace(left, rollback="failed", rollback_error="Stuck.")])[0], Fail)


def test_it_stops_a_step_whose_time_is_up_once():
    what = definition(step("a", timeout=5))
    assert plan(what, [running("a")]) == [Wait(5, ("a",))]
    late = NOW + timedelta(seconds=5)
    assert plan(what, [running("a")], now=late)[0] == Stop("a", "It took longer than 5 seconds.")
    assert plan(what, [running("a", stopping=True)], now=late) == [Wait(30, ("a",))]


def test_the_time_of_a_step_counts_from_when_its_operation_has_begun():
    what = definition(step("a", timeout=5))
    later = NOW + timedelta(hours=1)
    assert plan(what, [running("a", begun_at=None)], now=later) == [Wait(5, ("a",))]
    assert plan(what, [running("a", begun_at=later - timedelta(seconds=2))], now=later) == [Wait(3, ("a",))]


def test_it_rolls_back_in_reverse_and_only_what_nothing_stands_on():
    what = definition(step("a"), step("b"), step("c", ["a"]), step("d", ["c"]))
    states = [done("a", 1), done("b", 3), done("c", 2), failed("d")]
    assert plan(what, states) == [
        Rollback("b", "probe.unmake", {"name": "b"}),
        Rollback("c", "probe.unmake", {"name": "c"}),
        Wait(30, ()),
    ]
    states[1:3] = [replace(states[1], rollback="running"), replace(states[2], rollback="running")]
    assert plan(what, states) == [Wait(30, ("b", "c"))]
    states[2] = replace(states[2], rollback="completed")
    assert plan(what, states) == [
        Rollback("a", "probe.unmake", {"name": "a"}),
        Wait(30, ("b",)),
    ]
    states[:2] = [replace(states[0], rollback="completed"), replace(states[1], rollback="completed")]
    assert plan(what, states) == [Fail("STEP_FAILED", "Step d failed: Broke. Rolled back: a, b, c.")]


def test_it_stops_what_runs_before_it_rolls_back():
    what = definition(step("a"), step("b"))
    assert plan(what, [running("a"), failed("b")]) == [Stop("a"), Wait(30, ("a",))]
    assert plan(what, [running("a", stopping=True), failed("b")]) == [Wait(30, ("a",))]


def test_it_stops_at_the_first_failure_and_lets_the_others_end():
    what = definition(step("a"), step("b"), step("c"), on_failure="stop")
    assert plan(what, [running("a"), failed("b")]) == [Wait(30, ("a",))]
    [failure] = plan(what, [done("a"), failed("b")])
    assert failure.message == "Step b failed: Broke. Completed and kept: a."


def test_it_continues_past_a_failure_with_what_does_not_need_it():
    what = definition(step("a"), step("b", ["a"]), step("c", ["b"]), step("d"), on_failure="continue")
    assert [type(action) for action in plan(what, [failed("a")])] == [Skip, Skip, Submit, Wait]
    skipped = [StepState("b", "skipped"), StepState("c", "skipped")]
    [failure] = plan(what, [failed("a"), *skipped, done("d")])
    assert failure.message == "Step a failed: Broke. Completed and kept: d."


def test_it_unwinds_what_a_cancelled_workflow_made_and_names_what_it_cannot():
    what = definition(*CHAIN)
    states = {"a": done("a", 1), "b": done("b", 2, inverse=None, lasting=True), "c": running("c")}
    assert planner.plan_cancellation(what, GIVEN, states) == [Stop("c"), Wait(30, ("c",))]
    states["c"] = StepState("c", "cancelled", 1)
    assert planner.plan_cancellation(what, GIVEN, states) == [
        Rollback("a", "probe.unmake", {"name": "a"}),
        Wait(30, ()),
    ]
    states["a"] = replace(states["a"], rollback="completed")
    assert planner.plan_cancellation(what, GIVEN, states) == [
        Fail("NOT_UNDONE", "left are b (nothing takes that back).")
    ]


def test_it_foresees_inputs_that_need_no_results():
    what = definition(
        step("many", for_each=["x", "y"], given={"name": "{{ item }}"}),
        step("names", ["many"], given={"data": "{{ steps.many.each | map(attribute='input.name') | list }}"}),
        step("results", ["names"], given={"data": "{{ steps.names.result }}"}),
    )
    found = [(one.name, input) for one, input in foreseen(what, GIVEN)]
    assert found == [
        ("many[0]", {"name": "x"}),
        ("many[1]", {"name": "y"}),
        ("names", {"name": "names", "data": ["x", "y"]}),
    ]


def test_every_plan_ends_with_exactly_one_end():
    what = definition(*CHAIN)
    boards = [[], [running("a")], [done("a"), failed("b")], [done("a"), running("b"), failed("c")], [failed("a")]]
    for states in boards:
        *todo, last = plan(what, states)
        assert isinstance(last, Wait | Finish | Fail)
        assert not any(isinstance(action, Wait | Finish | Fail) for action in todo)


def test_it_shows_results_only_when_all_are_there():
    what = definition(step("many", for_each=[1, 2]), step("b", ["many"]))
    graph = StepGraph(what, GIVEN, {"many[0]": done("many[0]")})
    assert "result" not in graph.view("many")
