"""Uploaded workflow definitions in the console."""

import pytest

from apps.workflows.models import WorkflowDefinition
from tests.console import act, browser, page, seeded, shown_messages

ADD = "/admin/workflows/workflowdefinition/add/"
TEXT = "title: Wait a little\nsteps:\n  - {name: a, wait: {for: 0}}\n"


@pytest.fixture
def person(db):
    return seeded("olga", "operator")


@pytest.fixture
def olga(person):
    return browser(person)


def test_it_uploads_versions_and_retires_them(olga, person, workspace):
    answer = olga.post(ADD, {"name": "mine", "text": TEXT.replace("\n", "\r\n")})
    assert answer.status_code == 302, answer.context["errors"]
    first = WorkflowDefinition.objects.get()
    assert (first.name, first.version, first.text, first.uploaded_by) == ("mine", 1, TEXT, person)
    assert f"{ADD}?name=mine" in olga.get(page(first)).content.decode()
    assert olga.get(f"{ADD}?name=mine").context["adminform"].form.initial["text"] == TEXT
    assert olga.post(ADD, {"name": "mine", "text": TEXT.replace("little", "while")}).status_code == 302
    second = WorkflowDefinition.objects.get(version=2)
    assert "Wait a while" in olga.get("/admin/workflows/workflow/add/").content.decode()
    answer = act(olga, [second], "retire_definitions", page=second.pk)
    assert shown_messages(answer)[-1] == "Retired mine: it cannot be run any more."
    assert "Wait a while" not in olga.get("/admin/workflows/workflow/add/").content.decode()


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"name": "Mine"}, "name", "Give 1 to 40 lower-case letters"),
        ({"name": "cluster_create"}, "name", "is a type that the service brings along"),
        ({"text": "title: T\nsteps:\n  - {name: a, uses: x.y}\n"}, "text", "mine:3:15: step a uses x.y"),
        ({"text": " "}, "text", "mine:1:1"),
    ],
)
def test_it_shows_what_is_wrong_at_the_field(olga, workspace, given, field, said):
    answer = olga.post(ADD, {"name": "mine", "text": TEXT} | given)
    assert said in str(answer.context["adminform"].form.errors[field])
    assert not WorkflowDefinition.objects.exists()
