"""Schedules and freeze windows in the console."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.workflows.definition import RUN
from apps.workflows.models import FreezeWindow, Schedule
from apps.workflows.services import schedules
from tests.console import act, browser, listing, page, seeded, shown_messages
from tests.workflows.conftest import step

ADD = "/admin/workflows/schedule/add/"
FREEZE = "/admin/workflows/freezewindow/add/"
PARAMETERS = {"required": ["name"], "properties": {"name": {"type": "string", "maxLength": 20}}}
GIVEN = {"workspace": "production", "name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin"}
GIVEN |= {"overlap": "skip", "parameter-name": "shop"}


@pytest.fixture
def person(db):
    return seeded("olga", "operator")


@pytest.fixture
def olga(person):
    return browser(person)


@pytest.fixture
def chain(define, workspace):
    define("chain", title="Make a chain", parameters=PARAMETERS, steps=[step("a")])


@pytest.fixture
def nightly(person, chain):
    facts = {"name": "nightly", "workflow_type": "chain", "parameters": {"name": "shop"}, "cron": "30 2 * * *"}
    return schedules.create_schedule(workspace="production", actor=person, time_zone="Europe/Berlin", **facts)


def create(client, **more):
    return client.post(f"{ADD}?type=chain", GIVEN | more)


def test_it_creates_a_schedule(olga, person, chain):
    assert "?type=chain" in olga.get(ADD).content.decode()
    answer = create(olga)
    made = Schedule.objects.get()
    assert answer.headers["Location"] == page(made)
    assert (made.name, made.workflow_type, made.parameters) == ("nightly", "chain", {"name": "shop"})
    assert (made.cron, made.time_zone, made.actor, made.next_at is None) == (
        "30 2 * * *",
        "Europe/Berlin",
        person,
        False,
    )


@pytest.mark.parametrize(
    ("wrong", "form"),
    [
        ({"cron": "61 * * * *"}, "times"),
        ({"time_zone": "Mars/Base"}, "times"),
        ({"name": ""}, "times"),
        ({"parameter-name": ""}, "form"),
    ],
)
def test_it_shows_what_is_wrong_at_its_field(olga, chain, wrong, form):
    answer = create(olga, **wrong)
    assert list(answer.context[form].errors) == [name.removeprefix("parameter-") for name in wrong]
    assert not Schedule.objects.exists()


def test_a_bad_expression_is_refused_by_saying_what_to_send(olga, chain):
    for wrong in ("@daily", "61 * * * *", "0 0 30 2 *", "* * * * * *"):
        [error] = create(olga, cron=wrong).context["times"].errors["cron"]
        assert error.startswith(f"{wrong} cannot be used: ") and "such as 30 2 * * 1-5 for half past two" in error


def test_it_shows_times_in_words_above_the_expression(olga, nightly):
    for address in (listing(Schedule), page(nightly)):
        html = olga.get(address).content.decode()
        assert "At 02:30 every day" in html and "30 2 * * *</code>" in html, address
    rows = olga.post(listing(Schedule), {"action": "export_csv", "_selected_action": [nightly.pk], "index": 0})
    assert "At 02:30 every day 30 2 * * *" in b"".join(rows.streaming_content).decode()
    Schedule.objects.update(cron="0 3 1-31 * 1")
    assert "0 3 1-31 * 1</code>" in olga.get(listing(Schedule)).content.decode()


def edit(client, schedule, **more):
    return client.post(page(schedule).replace("/change/", "/edit/"), GIVEN | more)


def test_it_changes_a_schedule_in_the_name_of_who_does(nightly, chain):
    other = seeded("dana", "operator")
    client = browser(other)
    form = client.get(page(nightly).replace("/change/", "/edit/"))
    assert form.context["times"]["cron"].value() == "30 2 * * *"
    assert form.context["form"]["name"].value() == "shop"
    assert "Make a chain" in client.get(page(nightly)).content.decode()
    answer = edit(client, nightly, **{"cron": "0 4 * * *", "name": "at four", "parameter-name": "store"})
    assert answer.headers["Location"] == page(nightly)
    before = nightly.next_at
    nightly.refresh_from_db()
    assert (nightly.name, nightly.cron, nightly.parameters) == ("at four", "0 4 * * *", {"name": "store"})
    assert nightly.actor == other and nightly.next_at != before


def test_it_keeps_and_never_shows_secrets_that_are_not_typed_again(olga, person, define, workspace):
    secret = {"properties": {"password": {"type": "string"}, "size": {"type": "integer"}}, "required": ["password"]}
    define("guarded", title="Guarded", parameters=secret, steps=[step("a")])
    facts = {"name": "nightly", "workflow_type": "guarded", "parameters": {"password": "hunter2", "size": 2}}
    row = schedules.create_schedule(workspace="production", actor=person, cron="30 2 * * *", time_zone="UTC", **facts)
    form = olga.get(page(row).replace("/change/", "/edit/"))
    assert "hunter2" not in form.content.decode() and form.context["form"]["size"].value() == 2
    edit(olga, row, **{"parameter-size": "3", "parameter-password": ""})
    row.refresh_from_db()
    assert row.parameters == {"password": "hunter2", "size": 3}
    edit(olga, row, **{"parameter-size": "3", "parameter-password": "correct-horse"})
    row.refresh_from_db()
    assert row.parameters["password"] == "correct-horse"


def test_it_shows_what_is_wrong_with_a_change_and_refuses_readers(olga, nightly):
    assert "cron" in edit(olga, nightly, cron="61 * * * *").context["times"].errors
    assert edit(browser(seeded("viv", "viewer")), nightly, cron="0 4 * * *").status_code == 403
    nightly.refresh_from_db()
    assert nightly.cron == "30 2 * * *"


def test_a_developer_changes_only_their_own(nightly):
    dana = seeded("dana", "developer")
    client = browser(dana)
    html = client.get(page(nightly)).content.decode()
    assert "run_schedules" in html
    assert not [each for each in ("/edit/", "pause_schedules", "delete_schedules") if each in html]
    for action in ("pause_schedules", "unpause_schedules", "delete_schedules"):
        assert "belongs to olga" in shown_messages(act(client, [nightly], action))[0]
    assert edit(client, nightly, cron="0 4 * * *").status_code == 403
    nightly.refresh_from_db()
    assert (nightly.paused, nightly.cron, nightly.actor.username) == (False, "30 2 * * *", "olga")
    Schedule.objects.update(actor=dana)
    assert "/edit/" in client.get(page(nightly)).content.decode()
    assert shown_messages(act(client, [nightly], "pause_schedules")) == ["Paused nightly."]


def test_it_shows_the_next_five_times_in_its_time_zone_and_in_utc(olga, nightly):
    Schedule.objects.update(time_zone="Asia/Kolkata")
    [table] = olga.get(page(nightly)).context["tables"]
    assert table.columns == ["From now", "At (Asia/Kolkata)", "UTC"]
    assert [cells[1][10:] for cells in table.rows] == [" 02:30 +0530"] * 5
    assert [cells[2][10:] for cells in table.rows] == [" 21:00"] * 5


def test_it_pauses_and_unpauses(olga, nightly):
    assert shown_messages(act(olga, [nightly], "pause_schedules", page=nightly.pk)) == ["Paused nightly."]
    nightly.refresh_from_db()
    assert (nightly.paused, nightly.next_at) == (True, None)
    html = olga.get(page(nightly)).content.decode()
    assert "unpause_schedules" in html and "None while it is paused." in html
    act(olga, [nightly], "unpause_schedules")
    nightly.refresh_from_db()
    assert nightly.next_at > timezone.now()


def test_it_runs_now_in_the_name_of_who_asks(olga, person, nightly):
    assert "Queued: " in shown_messages(act(olga, [nightly], "run_schedules"))[0]
    operation = Operation.objects.get(kind=RUN)
    assert operation.actor == person
    assert f"{operation.pk}/change/" in olga.get(page(nightly)).content.decode()


def test_it_deletes_and_returns_to_the_list(olga, nightly):
    answer = act(olga, [nightly], "delete_schedules", page=nightly.pk)
    assert answer.request["PATH_INFO"] == listing(Schedule)
    assert shown_messages(answer) == ["Deleted the schedule nightly."]
    assert not Schedule.objects.exists()


def test_it_creates_and_deletes_a_freeze_window(olga, workspace, person):
    ends = datetime(2999, 1, 2, 8, 30, tzinfo=UTC)
    given = {"workspace": workspace.pk, "reason": "year end", "starts_at": "", "ends_at": "2999-01-02T08:30"}
    answer = olga.post(FREEZE, given)
    assert answer.status_code == 302, answer.context["errors"]
    made = FreezeWindow.objects.get()
    assert (made.workspace, made.reason, made.ends_at, made.created_by) == (workspace, "year end", ends, person)
    assert timezone.now() - made.starts_at < timedelta(minutes=1)
    answer = act(olga, [made], "delete_freeze_windows", page=made.pk)
    assert shown_messages(answer)[-1] == "Deleted the freeze window year end."
    assert not FreezeWindow.objects.exists()


def test_it_refuses_a_freeze_window_that_ends_before_it_starts(olga, workspace):
    given = {"workspace": workspace.pk, "reason": "x", "starts_at": "2999-01-02T08:30", "ends_at": "2999-01-01T08:30"}
    answer = olga.post(FREEZE, given)
    assert list(answer.context["adminform"].form.errors) == ["ends_at"]
    assert not FreezeWindow.objects.exists()
