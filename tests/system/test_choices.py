"""A refused choice names those that there are, in bodies and filters of the API and in forms of the console."""

import pytest
from django import forms
from rest_framework import serializers

import provisioning.urls  # noqa: F401 - imports all shapes
from apps.system.admin.forms import NamesChoices
from apps.system.api.fields import Choice, Input
from apps.system.choices import not_one_of
from apps.workflows.admin.freeze_windows import FreezeForm
from apps.workflows.models import FreezeWindow
from apps.workspaces.models import Workspace
from tests.console import browser, seeded


def all_below(base):
    for shape in base.__subclasses__():
        yield shape
        yield from all_below(shape)


def test_the_first_twenty_are_named():
    assert not_one_of("x", ["a", "b"]) == "x is not one of a, b."
    many = not_one_of("x", range(1000))
    assert many.endswith(", 18, 19, ….") and "20" not in many
    assert len(not_one_of("x" * 5000, ["y" * 5000])) < 200


def test_a_body_s_refusal_names_the_choices(api, alice, workspace):
    body = {"workspace": "production", "name": "n", "workflow_type": "servers_create", "cron": "0 0 * * *"}
    for given in ("never", 3, None, ["skip"]):
        answer = api(alice).post("/v1/schedules", {**body, "overlap": given}, format="json")
        assert answer.status_code == 400
        if given is not None:
            assert "is not one of skip, queue." in answer.json()["details"]["overlap"][0]


@pytest.mark.parametrize("shape", sorted(all_below(Input), key=lambda shape: shape.__qualname__))
def test_each_body_has_choices_that_are_named(shape):
    fields = shape().fields.values()
    assert all(isinstance(one, Choice) for one in fields if isinstance(one, serializers.ChoiceField))


def test_a_form_names_what_may_be_chosen(account):
    client = browser(seeded("olga", "operator"))
    given = {"workspace": "production", "provider": "upcloud", "zone": "mars-1", "plan": "1xCPU-1GB", "hostname": "w"}
    html = client.post("/admin/servers/server/add/", given).content.decode()
    assert "mars-1 is not one of " in html and "Frankfurt #1" in html.partition("mars-1 is not one of ")[2][:200]
    assert "Select a valid choice" not in html


def test_a_form_of_rows_names_them(workspace):
    Workspace.objects.create(name="staging", path="/opt/staging")

    class Form(NamesChoices, forms.ModelForm):
        class Meta:
            model = FreezeWindow
            fields = ["workspace"]

    assert Form({"workspace": 999}).errors["workspace"] == ["999 is not one of production, staging."]
    assert issubclass(FreezeForm, NamesChoices)
