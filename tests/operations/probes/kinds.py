"""Every step under the name of its function; the kinds `…_undoable` have something to undo."""

from apps.operations.registry import Kind
from tests.operations.probes import handlers

STEPS = (
    *("instant", "nap", "wait", "stumble", "refuse", "break_down", "unspeakable", "die", "spin", "cling", "compute"),
    *("seize", "query", "employ", "terminate", "act", "provision"),
)


def settle_never(operation):
    raise RuntimeError("a bug in settling")


def kind(name, **more):
    return Kind(name=f"probe.{name}", title=name, run=getattr(handlers, name.split(".")[0]), **more)


KINDS = [
    *(kind(name) for name in STEPS),
    *(kind(f"{name}.undoable", undo=handlers.undo) for name in STEPS),
    kind("nap.undo_dies", undo=handlers.undo_and_die),
    kind("instant.unsettled", settle=settle_never),
]
