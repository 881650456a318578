"""Workflows in the console: choosing a type, the form from its parameters, the preview, resuming and rolling back."""

import pytest

from apps.operations.models import Operation
from apps.workflows.models import Workflow
from tests.console import act, browser, listing, page, seeded, shown_messages
from tests.workflows.conftest import step

ADD = "/admin/workflows/workflow/add/"
PARAMETERS = {
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "description": "What to make.", "maxLength": 20},
        "many": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
    },
}


@pytest.fixture
def olga(db):
    return browser(seeded("olga", "operator"))


@pytest.fixture
def chain(define, workspace):
    define("chain", title="Make a chain", parameters=PARAMETERS, steps=[step("a"), step("b", ["a"])])


@pytest.fixture
def failed(define, submit, run_worker):
    define("breaks", steps=[step("a"), step("b", ["a"], given={"fails": 1})], on_failure="stop")
    submit("breaks")
    run_worker()
    return Workflow.objects.get()


def test_types_are_cards_that_lead_to_a_form(olga, chain):
    assert "?type=chain" in olga.get(ADD).content.decode()
    answer = olga.get(ADD, {"type": "chain"})
    many = answer.context["form"].fields["many"]
    assert (many.min_value, many.max_value, many.initial) == (1, 9, 2)
    assert "What to make." in answer.content.decode()


def test_it_suggests_providers_plans_zones_and_taskservs_and_takes_others(olga, account, workspace, run_worker):
    account.plans.create(name="tiny", cpus=1, memory_mib=1024, disk_gib=10)
    account.zones.create(name="se-sto1", title="Stockholm")
    address, given = f"{ADD}?type=cluster_create", {"workspace": "production", "check": "yes"}
    html = olga.get(address).content.decode()
    for option in ('"upcloud">UpCloud</', '"tiny">1 CPU, 1 GiB', '"se-sto1">Stockholm<', '"redis">Redis'):
        assert f"<option value={option}" in html, option
    assert 'list="parameter-plan-known"' in html and '<datalist id="parameter-plan-known">' in html
    typed = {"parameter-cluster_name": "shop", "parameter-node_count": "1", "parameter-plan": "unlisted"}
    assert "unlisted" in olga.post(address, given | typed).content.decode()


def test_a_preview_changes_nothing_and_exactly_that_is_then_run(olga, chain, run_worker):
    given = {"workspace": "production", "parameter-name": "x", "parameter-many": "2"}
    answer = olga.post(f"{ADD}?type=chain", given | {"check": "yes"})
    assert "Run exactly this" in answer.content.decode() and not Workflow.objects.exists()
    digest = answer.context["preview"]["digest"]
    answer = olga.post(f"{ADD}?type=chain", given | {"do": "yes", "digest": digest})
    workflow = Workflow.objects.get()
    assert answer.url == page(workflow) and workflow.parameters == {"name": "x", "many": 2}
    run_worker()
    assert "badge-completed" in olga.get(page(workflow)).content.decode()


@pytest.mark.parametrize(
    ("wrong", "text"), [({"parameter-name": ""}, "This field is required"), ({"parameter-many": "99"}, "equal to 9")]
)
def test_it_says_what_is_wrong(olga, chain, wrong, text):
    given = {"workspace": "production", "parameter-name": "x", "parameter-many": "2", "do": "yes"}
    assert text in olga.post(f"{ADD}?type=chain", given | wrong).content.decode()
    assert not Workflow.objects.exists()


def test_it_is_run_again_with_the_same_values_and_its_secrets_asked_anew(olga, define, submit, run_worker):
    secret = {"type": "string", "writeOnly": True}
    shape = {"required": ["name", "token"], "properties": {**PARAMETERS["properties"], "token": secret}}
    define("chain", title="Make a chain", parameters=shape, steps=[step("a")])
    first = Workflow.objects.get(pk=submit("chain", name="x", many=5, token="opensesame-7")["id"])
    assert "Run again" not in olga.get(page(first)).content.decode()  # it has not ended
    run_worker()
    again = f"{ADD}?type=chain&workspace=production&again={first.pk}"
    for row in (first, first.operation):
        assert f'href="{again.replace("&", "&amp;")}">Run again…</a>' in olga.get(page(row)).content.decode()
    answer = olga.get(again)
    form = answer.context["form"]
    assert {name: form[name].value() for name in form.fields} == {"name": "x", "many": 5, "token": None}
    assert "opensesame-7" not in answer.content.decode() and "Secrets are asked for anew." in answer.content.decode()
    given = {"workspace": "production", "parameter-name": "x", "parameter-many": "5", "do": "yes"}
    assert "This field is required" in olga.post(again, given).content.decode()
    answer = olga.post(again, given | {"parameter-token": "mellon-8"})
    second = Workflow.objects.exclude(pk=first.pk).get()
    assert answer.url == page(second) and second.parameters == {"name": "x", "many": 5, "token": "mellon-8"}


def test_those_who_may_not_submit_are_not_offered_to_run_it_again(chain, submit, run_worker):
    submit("chain", name="x")
    run_worker()
    assert "Run again" not in browser(seeded("viv", "viewer")).get(page(Workflow.objects.get())).content.decode()


@pytest.mark.parametrize("key", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_there_is_no_form_with_the_values_of_what_is_not_there(olga, chain, key):
    assert olga.get(ADD, {"type": "chain", "again": key}).status_code == 404


def test_the_list_of_operations_leads_to_that_form_instead_of_running_it(olga, chain, submit, run_worker):
    submit("chain", name="x")
    run_worker()
    answer = act(olga, [Workflow.objects.get().operation], "run_again")
    assert "run again from its own page" in shown_messages(answer)[0]
    assert Workflow.objects.count() == 1


def test_the_titles_of_two_of_a_type_differ(olga, chain, submit):
    for minute in (5, 7):
        one = submit("chain", name="x")
        Operation.objects.filter(pk=one["id"]).update(created_at=f"2026-03-01T10:{minute:02}:00Z")
        html = olga.get(f"/admin/workflows/workflow/{one['id']}/change/").content.decode()
        assert html.partition("<title>")[2].strip().startswith(f"Make a chain, 2026-03-01 10:{minute:02} UTC")


def test_a_failed_one_is_resumed(olga, failed, run_worker):
    html = olga.get(page(failed)).content.decode()
    assert "resume_workflows" in html and "roll_back_workflows" in html
    assert "Queued: " in shown_messages(act(olga, [failed], "resume_workflows"))[0]
    later = Workflow.objects.get(resumes=failed)
    assert later.operation.actor.username == "olga"
    assert later.steps.get(name="a").status == "completed"
    html = olga.get(page(failed)).content.decode()
    assert "resume_workflows" not in html and f'It was resumed by <a href="{page(later)}">' in html


def test_a_failed_one_is_rolled_back(olga, failed, run_worker, world):
    before = list(world.made)
    answer = act(olga, [failed], "roll_back_workflows")
    _, _, preview = answer.context["found"][0]
    assert [group.rows for group in preview["groups"]] == [[("Unmake", "b", "", ""), ("Unmake", "a", "", "")]]
    assert "Roll back: breaks (check only)" in olga.get(listing(Operation)).content.decode()
    html = answer.content.decode()
    assert "Is taken back, in this order" in html and "Roll back: breaks" in html
    run_worker()
    assert world.made == before != []
    assert "Queued: " in shown_messages(act(olga, [failed], "roll_back_workflows", confirmed="yes"))[0]
    run_worker()
    assert world.made == []


def test_a_preview_of_a_rollback_says_what_stays_and_what_cannot_be_taken_back(olga, define, submit, run_worker):
    steps = [step("m", uses="probe.mark"), {"name": "w", "wait": {"for": 0}}, step("b", ["m"], given={"fails": 1})]
    define("breaks", steps=steps, on_failure="stop")
    submit("breaks")
    run_worker()
    failed = Workflow.objects.get()
    html = act(olga, [failed], "roll_back_workflows").content.decode()
    for text in ("Cannot be taken back", "Nothing takes that back", "Stays as it is", "It has made nothing"):
        assert text in html, text
    act(olga, [failed], "roll_back_workflows", confirmed="yes")
    assert "roll_back_workflows" not in olga.get(page(failed)).content.decode()
    assert shown_messages(act(olga, [failed], "roll_back_workflows"))[0].startswith("breaks, ")


def test_a_preview_of_a_rollback_names_servers_and_what_they_cost(olga, run_worker, account, workspace):
    given = {"workspace": "production", "parameter-cluster_name": "shop", "parameter-node_count": "1", "do": "yes"}
    assert olga.post(f"{ADD}?type=cluster_create", given).status_code == 302
    run_worker()
    html = act(olga, [Workflow.objects.get()], "roll_back_workflows").content.decode()
    assert ">shop-1</a>" in html and "No longer paid" in html and "28.00 EUR" in html


def test_it_is_for_those_who_may_submit(chain):
    client = browser(seeded("viv", "viewer"))
    assert client.get(ADD).status_code == 403
    assert client.post(f"{ADD}?type=chain", {"workspace": "production", "parameter-name": "x"}).status_code == 403
