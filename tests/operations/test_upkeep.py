from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.operations import retention
from apps.operations.models import ConcurrencyLimit, Event, Operation
from apps.operations.services import submit
from apps.operations.worker import nodes
from tests.system.diagnosis import found


@pytest.fixture
def ended(workspace):
    def make(days, **changes):
        operation = submit(kind="catalog.refresh", workspace=workspace, actor=None, params={}, **changes)
        at = timezone.now() - timedelta(days=days)
        facts = {"status": "completed", "due_at": None, "created_at": at, "ended_at": at}
        Operation.objects.filter(pk=operation.pk).update(**facts)
        Event.objects.create(operation=operation, seq=1, message="done")
        return operation

    return make


def left():
    return set(Operation.objects.values_list("pk", flat=True))


def test_it_deletes_what_ended_long_ago_with_its_log(ended, workspace):
    old, young = ended(91), ended(89)
    unfinished = submit(kind="catalog.refresh", workspace=workspace, actor=None, params={})
    Operation.objects.filter(pk=unfinished.pk).update(created_at=timezone.now() - timedelta(days=400))
    assert retention.prune_operations(older_than=timedelta(days=90), batch=1) == 1
    assert left() == {young.pk, unfinished.pk}
    assert not Event.objects.filter(operation=old.pk).exists()


def test_it_keeps_a_whole_of_which_a_part_is_young(ended):
    parent = ended(91)
    child = ended(91, parent=parent)
    young = ended(1, parent=parent)
    retention.prune_operations(older_than=timedelta(days=90))
    assert {parent.pk, young.pk} <= left()
    Operation.objects.filter(pk=young.pk).update(ended_at=timezone.now() - timedelta(days=91))
    retention.prune_operations(older_than=timedelta(days=90))
    assert left().isdisjoint({parent.pk, child.pk, young.pk})


def test_the_command_reads_ages(ended, capsys):
    ended(3)
    call_command("prune_operations", "--older-than", "2d")
    assert capsys.readouterr().out == "1 operations deleted\n"
    with pytest.raises(CommandError, match="90d, 12h or 4w"):
        call_command("prune_operations", "--older-than", "yesterday")


def test_drain_and_back(db, capsys):
    call_command("drain", "--reason", "new kernel")
    assert nodes.DrainMode.objects.get().reason == "new kernel"
    call_command("drain", "--off")
    assert not nodes.DrainMode.objects.exists()


def test_workers_say_part_by_part_whether_work_is_done(api, workspace):
    answer = api().get("/health/workers")
    assert (answer.status_code, answer.json()["workers"]["ok"]) == (503, False)
    nodes.register_heartbeat("node", workers=2)
    answer = api().get("/health/workers")
    assert (answer.status_code, answer.json()["status"]) == (200, "working")
    operation = submit(kind="catalog.refresh", workspace=workspace, actor=None, params={})
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=60))
    answer = api().get("/health/workers")
    assert (answer.status_code, answer.json()["queue"]["ok"]) == (503, False)
    nodes.drain()
    answer = api().get("/health/workers")
    assert (answer.status_code, answer.json()["queue"]["message"]) == (200, "Drained: no work is begun.")


def test_what_a_limit_holds_back_waits_for_no_worker(api, alice, workspace):
    nodes.register_heartbeat("node", workers=2)
    call_command("limit", "workspace:production", "0")
    operation = submit(kind="catalog.refresh", workspace=workspace, actor=None, params={})
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=60))
    assert api().get("/health/workers").status_code == 200
    assert "provisioning_oldest_due_seconds 0.0" in api(alice).get("/metrics").content.decode()
    [(level, message, _)] = found("queue")
    assert (level, message) == ("ok", "The oldest operation that may be claimed has waited 0.0 s.")
    call_command("limit", "workspace:production", "1")
    assert api().get("/health/workers").status_code == 503
    assert [level for level, _, _ in found("queue")] == ["FAIL"]


def test_ready_does_not_depend_on_workers_drains_and_limits(api, workspace):
    operation = submit(kind="catalog.refresh", workspace=workspace, actor=None, params={})
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=60))
    nodes.drain()
    assert (api().get("/health/ready").status_code, api().get("/health/ready").json()["status"]) == (200, "ready")


def test_prometheus_reads_states_and_times(api, alice, bob, body, run_worker):
    api(alice).post("/v1/servers/create", body)
    run_worker()
    api(alice).post("/v1/servers/create", {**body, "hostname": "web-02"})
    nodes.register_heartbeat("node", workers=3)
    text = api(alice).get("/metrics").content.decode()
    assert 'provisioning_operations{kind="server.create",status="completed"} 1.0' in text
    assert "provisioning_queue_depth 1.0" in text
    assert "provisioning_live_workers 3.0" in text
    assert 'provisioning_operation_run_seconds_count{kind="server.create",status="completed"}' in text
    assert 'provisioning_operation_claim_seconds_count{kind="server.create"}' in text
    assert api(bob).get("/metrics").status_code == 403
    assert api().get("/metrics").status_code == 401


def test_prometheus_reads_requests_by_view_and_status(api, alice):
    view = 'view="apps.operations.api.views.OperationViewSet"'
    before = requests_counted(api(alice).get("/metrics").content.decode(), view)
    for _ in range(3):
        assert api(alice).get("/v1/operations").status_code == 200
    assert requests_counted(api(alice).get("/metrics").content.decode(), view) == before + 3


def requests_counted(text, view):
    name = "django_http_responses_total_by_status_view_method_total"
    lines = [line for line in text.splitlines() if line.startswith(name) and view in line and 'status="200"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_limit_sets_lists_and_lifts_concurrency_limits(workspace, account, capsys):
    call_command("limit", "workspace:production", "3")
    call_command("limit", f"account:{account.pk}", "2")
    call_command("limit", f"account:{account.pk}", "none")
    assert capsys.readouterr().out.splitlines()[-1] == "workspace:production: 3 at once"
    call_command("limit", "workspace:production", "none")
    assert capsys.readouterr().out == "There is no limit.\n"
    for wrong in (["production", "3"], ["account:1", "many"], ["account:1", "-1"]):
        with pytest.raises(CommandError):
            call_command("limit", *wrong)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("workspace:prodution", "workspace:production"), ("workspace:Production", "workspace:production")],
)
def test_limit_refuses_what_is_not_there_and_names_the_nearest(name, meant, workspace):
    with pytest.raises(CommandError, match=f"There is no {name}. Did you mean {meant}"):
        call_command("limit", name, "3")
    with pytest.raises(CommandError, match="There is no account:9999. There is workspace:production"):
        call_command("limit", "account:9999", "3")
    assert not ConcurrencyLimit.objects.exists()


def test_creations_share_the_limit_of_their_account_and_its_time(api, alice, body, account):
    type(account).objects.update(time_limit=77)
    api(alice).post("/v1/servers/create", body)
    operation = Operation.objects.get()
    assert (operation.limit_key, operation.time_limit) == (account.limit_key, 77)
