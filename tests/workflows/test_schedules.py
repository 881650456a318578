"""Schedules: each time once, through restarts, kills and two nodes; daylight saving time; overlaps; freezes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.operations import cancellation, transitions
from apps.operations.errors import LeaseLost
from apps.operations.handler_api import Context, Lease
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker import runner
from apps.workflows.cron import count_between, times
from apps.workflows.definition import RUN
from apps.workflows.handlers import schedules as handlers
from apps.workflows.models import Schedule, Workflow
from apps.workflows.services import schedules
from tests.refusals import refused
from tests.workflows.conftest import step

BODY = {"workspace": "production", "name": "nightly", "workflow_type": "plain", "cron": "30 2 * * *"}
BODY |= {"time_zone": "Europe/Berlin"}


@pytest.fixture
def made(define, api, alice, workspace):
    define("plain", steps=[step("a")])

    def create(**more):
        answer = api(alice).post("/v1/schedules", {**BODY, **more})
        assert answer.status_code == 200, answer.content
        return Schedule.objects.get(pk=answer.json()["id"])

    return create


def fire(schedule, late=timedelta(seconds=1)):
    """Let the time of a schedule have come so long ago, and run its operation."""
    at = timezone.now() - late
    operation = Operation.objects.get(pk=schedule.fire_id)
    params = {**operation.params, "at": at.isoformat()}
    Operation.objects.filter(pk=operation.pk).update(due_at=at, params=params)
    [lease] = [each for each in leases.claim(owner="node", max_count=10) if each.operation_id == operation.pk]
    runner.run(str(lease.operation_id), lease.fence)
    schedule.refresh_from_db()
    return Operation.objects.get(pk=operation.pk)


def workflows():
    return Operation.objects.filter(kind=RUN).count()


# ── times ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),  # 02:30 is leapt over
        ("30 2 * * *", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),  # 02:30 is there twice
        ("0 4 * * *", "2026-03-28T12:00Z", ["2026-03-29T02:00Z", "2026-03-30T02:00Z"]),
    ],
)
def test_it_keeps_local_time_over_daylight_saving(cron, after, expected):
    found = times(cron, "Europe/Berlin", datetime.fromisoformat(after))
    assert [next(found) for _ in expected] == [datetime.fromisoformat(text) for text in expected]


def test_it_counts_what_was_missed_and_no_more_than_it_must():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert count_between("0 * * * *", "UTC", start, start + timedelta(hours=5)) == 5
    assert count_between("* * * * *", "UTC", start, start + timedelta(days=5)) == 1000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "soon"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"workflow_type": "none"}, "workflow_type"),
        ({"parameters": {"x": 1}}, "parameters"),
        ({"overlap": "twice"}, "overlap"),
    ],
)
def test_it_refuses_what_could_never_be_submitted(define, api, alice, workspace, change, field):
    define("plain", steps=[step("a")])
    refused(api(alice).post("/v1/schedules", {**BODY, **change}), 400, field=field)
    assert not Operation.objects.exists()


# ── firing ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_waits_in_the_queue_for_its_next_time(made, api, alice):
    schedule = made()
    operation = schedule.fire
    assert operation.due_at == schedule.next_at > timezone.now()
    assert operation.status == "pending"
    shown = api(alice).get(f"/v1/schedules/{schedule.pk}").json()
    assert len(shown["next_times"]) == 5
    assert shown["next_times"][0] == shown["next_at"]
    assert shown["next_times"] == sorted(set(shown["next_times"]))


def test_it_shows_its_next_times_in_its_time_zone_too(made, api, alice):
    schedule = made(cron="30 2 * * *", time_zone="Asia/Kolkata")
    shown = api(alice).get(f"/v1/schedules/{schedule.pk}").json()
    assert {time[10:] for time in shown["next_times"]} == {"T21:00:00Z"}
    assert {time[10:] for time in shown["next_local_times"]} == {"T02:30:00+05:30"}
    same = [datetime.fromisoformat(time) for time in shown["next_times"]]
    assert [datetime.fromisoformat(time) for time in shown["next_local_times"]] == same


def test_it_submits_its_workflow_once_and_waits_for_the_next_time(made, run_worker, world):
    schedule = made()
    first = fire(schedule)
    assert first.status == "completed"
    assert workflows() == 1
    assert schedule.fire_id != first.pk
    assert schedule.next_at > timezone.now()
    assert str(schedule.last_workflow_id) == first.result["workflow_id"]
    assert Workflow.objects.get().schedule == schedule
    assert Operation.objects.filter(kind="schedule.fire", due_at__isnull=False).count() == 1


def test_missed_times_are_coalesced_to_one(made):
    schedule = made(cron="0 * * * *")
    first = fire(schedule, late=timedelta(hours=5, minutes=1))
    assert workflows() == 1
    assert first.result["missed"] in (5, 6)
    assert schedule.next_at > timezone.now()


def test_a_worker_lost_after_the_submission_does_not_double_it(made):
    schedule = made()
    operation = Operation.objects.get(pk=schedule.fire_id)
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    [lease] = leases.claim(owner="first", max_count=10)
    handlers.fire_schedule(Context(transitions.set_running(lease), lease, transitions.write))  # its outcome is lost
    assert workflows() == 1
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    again = next(each for each in leases.claim(owner="second", max_count=10) if each.operation_id == operation.pk)
    runner.run(str(again.operation_id), again.fence)
    assert workflows() == 1
    schedule.refresh_from_db()
    assert schedule.fire.due_at == schedule.next_at > timezone.now()


def test_a_node_that_lost_its_lease_submits_nothing(made):
    schedule = made()
    Operation.objects.filter(pk=schedule.fire_id).update(due_at=timezone.now() - timedelta(seconds=1))
    [lease] = leases.claim(owner="first", max_count=10)
    row = transitions.set_running(lease)
    with pytest.raises(LeaseLost):
        handlers.fire_schedule(Context(row, Lease(row.pk, lease.fence - 1), transitions.write))
    assert workflows() == 0


def test_a_refused_time_is_reported_and_the_next_one_comes(made, alice):
    schedule = made()
    alice.is_active = False
    alice.save()
    first = fire(schedule)
    assert first.status == "failed"
    assert "may not submit workflows any more" in first.error
    assert schedule.fire.due_at > timezone.now()


def test_a_cancelled_time_is_left_out(made, api, alice):
    schedule = made()
    first = schedule.fire_id
    assert api(alice).post(f"/v1/operations/{first}/cancel").json()["status"] == "cancelled"
    schedule.refresh_from_db()
    assert schedule.fire_id != first
    assert schedule.fire.due_at == schedule.next_at


def test_it_is_repaired_where_nothing_waits_any_more(made):
    schedule = made()
    Operation.objects.filter(pk=schedule.fire_id).delete()
    assert schedules.repair_schedules() == 1
    schedule.refresh_from_db()
    assert schedule.fire.due_at == schedule.next_at
    assert schedules.repair_schedules() == 0


# ── overlap and freeze ────────────────────────────────────────────────────────────────────────────────────────────────
def test_with_skip_a_time_is_left_out_while_the_workflow_before_goes_on(made, run_worker):
    schedule = made()
    first = fire(schedule)
    second = fire(schedule)
    assert second.result == {"skipped": f"Workflow {first.result['workflow_id']}, of the time before, has not ended."}
    assert workflows() == 1


def test_with_queue_a_time_waits_for_the_workflow_before_to_end(made):
    schedule = made(overlap="queue")
    first = fire(schedule)
    second = fire(schedule)
    assert (second.status, second.due_at is None) == ("running", False)
    assert first.result["workflow_id"] in second.status_message
    Operation.objects.filter(pk=second.pk).update(due_at=timezone.now() + timedelta(hours=1))
    cancellation.cancel_idle(Operation.objects.get(pk=first.result["workflow_id"]))
    second.refresh_from_db()
    assert second.wake_requested or second.due_at <= timezone.now()
    [lease] = leases.claim(owner="node", max_count=10)
    runner.run(str(lease.operation_id), lease.fence)
    assert workflows() == 2


def test_a_freeze_window_holds_what_a_schedule_submits(made, api, alice, world):
    ends_at = (timezone.now() + timedelta(hours=1)).isoformat()
    schedule = made()
    api(alice).post("/v1/freeze-windows", {"workspace": "production", "reason": "audit", "ends_at": ends_at})
    fire(schedule)
    [lease] = leases.claim(owner="node", max_count=10)
    runner.run(str(lease.operation_id), lease.fence)
    assert "held by a freeze window" in Operation.objects.get(kind=RUN).status_message
    assert world.made == []


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_is_changed_paused_unpaused_run_and_deleted(made, api, alice, run_worker):
    schedule, caller = made(), api(alice)
    path = f"/v1/schedules/{schedule.pk}"
    changed = caller.patch(path, {"cron": "0 5 * * *", "time_zone": "UTC"}).json()
    assert changed["next_at"].endswith("T05:00:00Z")
    paused = caller.post(f"{path}/pause").json()
    assert (paused["paused"], paused["next_at"], paused["next_times"]) == (True, None, [])
    assert not Operation.objects.unfinished().exists()
    assert caller.post(f"{path}/unpause").json()["next_at"] == changed["next_at"]
    operation = caller.post(f"{path}/run").json()
    assert Workflow.objects.get(pk=operation["id"]).schedule_id == schedule.pk
    assert caller.delete(path).status_code == 200
    assert not Operation.objects.unfinished().filter(kind="schedule.fire").exists()
    refused(caller.get(path), 404)


def test_no_change_leaves_it_as_it_is(made, api, alice, dora):
    schedule = made()
    Schedule.objects.filter(pk=schedule.pk).update(actor=dora)
    before = Schedule.objects.values().get(), Operation.objects.unfinished().values().get()
    assert api(alice).patch(f"/v1/schedules/{schedule.pk}", {}).status_code == 200
    assert (Schedule.objects.values().get(), Operation.objects.unfinished().values().get()) == before


def test_it_has_one_name_in_a_workspace(made, api, alice):
    made()
    refused(api(alice).post("/v1/schedules", BODY), 409)


def changes(caller, schedule):
    """Every change of a schedule, by its name."""
    address = f"/v1/schedules/{schedule.pk}"
    return {
        "change": lambda: caller.patch(address, {"cron": "0 5 * * *"}),
        "pause": lambda: caller.post(f"{address}/pause"),
        "unpause": lambda: caller.post(f"{address}/unpause"),
        "delete": lambda: caller.delete(address),
    }


@pytest.mark.parametrize("change", ["change", "pause", "unpause", "delete"])
def test_only_its_owner_and_who_may_cancel_workflows_change_it(made, api, alice, dora, change):
    schedule = made()
    body = refused(changes(api(dora), schedule)[change](), 403)
    assert "belongs to alice" in body["message"] and "workflow_cancel" in body["message"]
    schedule.refresh_from_db()
    assert (schedule.actor, schedule.paused, schedule.cron) == (alice, False, "30 2 * * *")
    Schedule.objects.filter(pk=schedule.pk).update(actor=dora)
    assert changes(api(dora), schedule)[change]().status_code == 200


def test_a_developer_runs_anothers_schedule_in_their_own_name(made, api, dora):
    answer = api(dora).post(f"/v1/schedules/{made().pk}/run")
    assert Operation.objects.get(pk=answer.json()["id"]).actor == dora


def test_it_asks_for_the_permission_to_delete(define, api, dora, workspace):
    body = {**BODY, "workflow_type": "cluster_delete", "parameters": {"cluster_name": "k8s"}}
    refused(api(dora).post("/v1/schedules", body), 403)


def test_nobody_reads_the_secrets_of_a_schedule(define, api, alice, bob, workspace):
    define("secret", parameters={"properties": {"db_password": {}, "n": {}}}, steps=[step("a")])
    body = {**BODY, "workflow_type": "secret", "parameters": {"db_password": "hunter2x", "n": 1}}
    answer = api(alice).post("/v1/schedules", body)
    path = f"/v1/schedules/{answer.json()['id']}"
    assert answer.json()["parameters"] == {"db_password": "•••", "n": 1}
    shown = [api(bob).get(path), api(alice).post(f"{path}/pause"), api(bob).get("/v1/schedules?page=1")]
    shown.append(api(bob).get("/v1/schedules"))
    texts = [each.getvalue() if each.streaming else each.content for each in (answer, *shown)]
    assert not [text for text in texts if b"hunter2x" in text]
    assert Schedule.objects.get().parameters["db_password"] == "hunter2x"
