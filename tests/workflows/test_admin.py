"""Workflows on the admin site."""

import pytest

from apps.operations.models import Operation
from apps.workflows.models import Workflow
from tests.console import act, browser, listing, page, seeded, shown_messages, staff
from tests.workflows.conftest import step

STEPS = [step("a"), step("b", ["a"], given={"fails": 9})]


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


def test_it_shows_a_workflow_with_its_steps(chief, define, submit, run_worker):
    define("breaks", steps=STEPS, target="set:x")
    submit("breaks")
    run_worker()
    client = browser(chief)
    for query in ({}, {"q": "set:x"}, {"type": "breaks"}, {"operation__status": "failed"}):
        assert "breaks" in client.get(listing(Workflow), query).content.decode(), query
    html = client.get(page(Workflow.objects.get())).content.decode()
    for text in ("Step b failed: b broke. Rolled back: a, b.", "Make", "badge-failed", "breaks", "Taken back"):
        assert text in html, text
    assert "Cancel workflow" not in html


def test_it_cancels(chief, define, submit, run_worker, world):
    define("chain", steps=STEPS)
    submit("chain")
    client, workflow = browser(chief), Workflow.objects.get()
    assert "Cancel workflow" in client.get(page(workflow)).content.decode()
    assert shown_messages(act(client, [workflow], "cancel_selected"))[0].endswith(": cancelled")
    assert Operation.objects.get().status == "cancelled"


def test_it_is_reached_from_its_operation(chief, define, submit):
    define("chain", steps=STEPS)
    submit("chain")
    assert page(Workflow.objects.get()) in browser(chief).get(page(Operation.objects.get())).content.decode()


def test_it_needs_the_permissions(define, submit):
    define("chain", steps=STEPS)
    submit("chain")
    workflow = Workflow.objects.get()
    assert browser(staff("stranger", "server_read")).get(listing(Workflow)).status_code == 403
    reader = browser(staff("reader", "workflow_read"))
    assert reader.get(page(workflow)).status_code == 200
    act(reader, [workflow], "cancel_selected")
    assert Operation.objects.get().status == "pending"
