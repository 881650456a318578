from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.operations.models import Operation
from tests.workflows.conftest import step
from tests.workflows.running import ended, run_one, statuses


def statements(captured):
    """Count what reads or writes steps and logs, and what inserts operations."""
    tables = ("workflows_step", "operations_event", 'INSERT INTO "operations_operation"')
    return sum(any(table in query["sql"] for table in tables) for query in captured)


def test_it_starts_all_of_a_layer_but_those_that_are_refused(define, submit, run_worker, world, steps_of):
    refused = step("b", given={"refused": "conflict"})
    tolerated = step("c", given={"refused": "conflict"}, tolerate=["CONFLICT"])
    define("layer", steps=[step("a"), refused, tolerated, step("d")], on_failure="stop")
    operation = submit("layer")
    run_worker()
    assert statuses(steps_of(operation)) == {"a": "completed", "b": "failed", "c": "skipped", "d": "completed"}
    assert {name: each["attempt"] for name, each in steps_of(operation).items()} == dict.fromkeys("abcd", 1)
    assert Operation.objects.filter(parent=operation["id"]).count() == 2
    messages = list(Operation.objects.get(pk=operation["id"]).events.values_list("message", flat=True))
    assert len([message for message in messages if message.startswith("Step a started")]) == 1
    assert "Step b failed: The name b is taken." in messages


def test_it_starts_and_ends_a_wide_layer_with_as_many_statements_as_a_narrow_one(define, submit, world):
    counts = {}
    for width in (5, 20):
        define(
            f"wide{width}", steps=[step("each", for_each=f"{{{{ range({width}) }}}}", given={"name": "n{{ item }}"})]
        )
        operation = submit(f"wide{width}")
        with CaptureQueriesContext(connection) as starting:
            run_one(operation["id"])
        for child in Operation.objects.filter(parent=operation["id"]):
            run_one(child.pk)
        with CaptureQueriesContext(connection) as ending:
            run_one(operation["id"])
        assert ended(operation) == ("completed", None)
        counts[width] = (statements(starting), statements(ending))
    assert counts[20] == counts[5]
