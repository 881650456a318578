"""Forms and pages speak to operators: no addresses of the API, no placeholders, no marks of a markup, no indexes."""

import re

import pytest
from django.template.loader import render_to_string

from apps.operations.admin import in_names
from apps.system.admin.schema_form import SchemaForm
from apps.workflows.definitions import definitions
from tests.console import a_server, browser, page, seeded

MACHINE_WORDS = re.compile(r"/v1\b|\b(?:GET|POST|PATCH|DELETE) |`|&lt;\w+&gt;|\w\[\d+\]")


def text_of(html):
    return re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)


@pytest.mark.parametrize("name", sorted(definitions()))
def test_the_form_of_each_workflow_is_in_plain_words(name, account):
    html = browser(seeded("olga", "operator")).get(f"/admin/workflows/workflow/add/?type={name}").content.decode()
    found = MACHINE_WORDS.findall(text_of(html.partition('id="content"')[2]))
    assert found == []


def test_the_form_of_each_taskserv_is_in_plain_words(account):
    client = browser(seeded("olga", "operator"))
    listed = client.get("/admin/taskservs/taskserv/add/").content.decode()
    names = set(re.findall(r"\?name=([\w-]+)", listed))
    assert len(names) > 15
    for address in ("", *(f"?name={name}" for name in names)):
        html = client.get(f"/admin/taskservs/taskserv/add/{address}").content.decode()
        assert MACHINE_WORDS.findall(text_of(html.partition('id="content"')[2])) == [], address


def test_words_between_backticks_are_set_as_code_and_everything_is_escaped():
    schema = {"type": "string", "description": "Not <b>bold</b>; see `sudo -l <x>`."}
    form = SchemaForm(properties={"one": schema})
    shown = render_to_string("admin/parts/fields.html", {"form": form})
    assert "Not &lt;b&gt;bold&lt;/b&gt;; see <code>sudo -l &lt;x&gt;</code>." in shown


def test_operations_of_a_step_are_counted_from_one(db):
    assert in_names(["Step server[2] failed. Rolled back: server[0]."]) == [
        "Step server 3 failed. Rolled back: server 1."
    ]


@pytest.mark.parametrize(("role", "is_told"), [("operator", True), ("viewer", False)])
def test_an_empty_list_tells_those_who_may_add_a_row_how(role, is_told, db):
    client = browser(seeded("olga", role))
    for address, text in (
        ("servers/server/", "Create the first one"),
        ("taskservs/taskserv/", "Choose one of the catalog"),
        ("workflows/workflow/", "Choose a type"),
    ):
        html = client.get(f"/admin/{address}").content.decode()
        assert 'class="c-nothing"' in html
        assert (text in html) == is_told, address


def test_what_is_not_so_is_a_word_and_what_is_empty_is_left_out(account, workspace):
    """A red cross would say that something is wrong."""
    server = a_server(account, workspace, status="failed", plan="huge")
    html = browser(seeded("viv", "viewer")).get(page(server)).content.decode()
    assert "<dt>Protected</dt><dd>no</dd>" in html and "close_small" not in html
    assert "<dt>Status</dt>" in html and "<dt>Drift</dt>" not in html and "<dt>Tags</dt>" not in html
    assert "none, no machine" in html and "UpCloud" in html
