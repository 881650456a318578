"""Sentences on how a workflow went. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from apps.workflows.step_graph import BROKEN, CANCELLED, COMPLETED, FAILED, StepGraph, StepState

MAX_NAMES = 10


def failure(graph: StepGraph) -> str:
    """Say which step failed and why, what was taken back and what is left."""
    broken = sorted((state for state in states_of(graph) if state.status in BROKEN), key=when_ended)
    first = next((state for state in broken if state.status == FAILED), broken[0])
    others = [state.name for state in broken if state is not first and state.status == FAILED]
    how = "was cancelled" if first.status == CANCELLED else "failed"
    parts = [f"Step {first.name} {how}: {sentence(first.error or 'the reason is not known')}"]
    parts += [f"So did {listed(others)}."] if others else []
    return " ".join([*parts, *consequences(graph)])


def consequences(graph: StepGraph) -> list[str]:
    """Say what was taken back, what could not be, and what was kept."""
    states = states_of(graph)
    rolled = [state.name for state in states if state.rollback == COMPLETED]
    left = leftovers(graph)
    kept = [state.name for state in states if state.status == COMPLETED and not state.rollback]
    parts = [f"Rolled back: {listed(rolled)}."] if rolled else []
    if graph.definition.on_failure == "rollback":
        return [*parts, f"Left: {listed(left)}."] if left else parts
    return [*parts, f"Completed and kept: {listed(kept)}."] if kept else parts


def not_undone(graph: StepGraph) -> str:
    """Name what a cancelled workflow leaves behind; empty when that is nothing."""
    left = leftovers(graph)
    return f"left are {listed(left)}." if left else ""


def leftovers(graph: StepGraph) -> list[str]:
    """Name the steps whose work could not be taken back, and why."""
    return [f"{state.name} ({reason})" for state in states_of(graph) if (reason := unfinished_reason(state))]


def unfinished_reason(state: StepState) -> str:
    """Say why something is left of the step; empty when nothing is."""
    if state.rollback == FAILED:
        return state.rollback_error.rstrip(".")
    return "nothing takes that back" if state.lasting and state.status == COMPLETED else ""


def states_of(graph: StepGraph) -> list[StepState]:
    """Return the states of all operations known, in order."""
    return [graph.state(one.name) for one in graph.everything()]


def when_ended(state: StepState) -> tuple[bool, float]:
    """Return what orders steps by their end; one that never began comes last."""
    return (state.ended_at is None, state.ended_at.timestamp() if state.ended_at else 0.0)


def listed(names: Sequence[str]) -> str:
    """Join names, the first ten of them."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def sentence(text: str) -> str:
    """End a text with a full stop."""
    return text if text.endswith((".", "!", "?", "…")) else text + "."
