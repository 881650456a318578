"""Every step under the name of its function; the kinds `…_undoable` have something to undo."""

from apps.operations.registry import OperationKind
from tests.operations.probes import handlers

STEPS = (
    *("instant", "sleep", "wait", "act", "provision", "query", "compute", "run_ansible"),
    *("fail_transiently", "refuse", "raise_bug", "return_unserializable", "die"),
    *("busy_loop", "ignore_interrupts", "hold_gil", "start_programs", "start_daemons", "terminate"),
)


def fail_to_apply(operation, outcome):
    raise RuntimeError("a bug in apply_outcome")


def kind(name, **more):
    return OperationKind(name=f"probe.{name}", title=name, run=getattr(handlers, name.split(".")[0]), **more)


KINDS = [
    *(kind(name) for name in STEPS),
    *(kind(f"{name}.undoable", compensate=handlers.undo) for name in STEPS),
    kind("run_ansible.stoppable", compensate=handlers.stop_ansible),
    kind("sleep.undo_dies", compensate=handlers.undo_and_die),
    kind("instant.outcome_fails", apply_outcome=fail_to_apply),
]
