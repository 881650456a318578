import orjson
import pytest
from django.core.signals import request_finished
from django.db import close_old_connections

from apps.operations import claims, nodes, runner
from apps.operations.models import Lane, Operation
from apps.operations.services import submit


@pytest.fixture
def operation(workspace):
    return submit(kind="catalogue.refresh", workspace=workspace, actor=None, params={"account": 0})


def why(client, operation):
    [*_, last] = client.get(f"/v1/operations/{operation.pk}/events").json()
    return last["data"]["waiting"], last["message"]


def test_it_says_that_no_worker_runs(api, bob, operation):
    assert why(api(bob), operation) == ("NO_WORKER", "No worker is running; start one with `manage.py worker`.")


def test_it_says_that_all_is_drained_and_why(api, bob, operation):
    nodes.drain(reason="new kernel")
    code, message = why(api(bob), operation)
    assert code == "DRAINED"
    assert "new kernel" in message


def test_it_says_what_is_in_front_of_it(api, bob, workspace, operation):
    nodes.beat("node", workers=2)
    later = submit(kind="catalogue.refresh", workspace=workspace, actor=None, params={})
    assert why(api(bob), later) == ("QUEUED", "Due; 1 operations of its workspace are in front of it.")


def test_it_names_the_full_lane(api, bob, workspace, operation):
    nodes.beat("node", workers=2)
    Lane.objects.create(name="workspace:production", most=0)
    code, message = why(api(bob), operation)
    assert (code, "workspace:production" in message) == ("LANE_FULL", True)


def test_it_names_the_worker_at_work(api, bob, operation):
    [lease] = claims.claim(owner="node-7", most=1)
    claims.begin(lease)
    assert why(api(bob), operation) == ("WORKING", "At work on it: worker node-7.")


def test_it_says_what_the_operation_itself_waits_for_and_until_when(api, alice, body, cloud, workspace):
    cloud.set(boot_seconds=60)
    made = api(alice).post("/v1/servers/create", body).json()
    [lease] = claims.claim(owner="node", most=1)
    runner.run(str(lease.operation_id), lease.fence)
    code, message = why(api(alice), Operation.objects.get(pk=made["id"]))
    assert code == "WAITING"
    assert "is starting at upcloud/default" in message


def test_it_lists_a_retry_with_its_reason(api, alice, body, cloud):
    cloud.respond_next(503, text="")
    made = api(alice).post("/v1/servers/create", body).json()
    [lease] = claims.claim(owner="node", most=1)
    runner.run(str(lease.operation_id), lease.fence)
    lines = api(alice).get(f"/v1/operations/{made['id']}/events").json()
    assert any(line["data"].get("try") == 1 and line["level"] == "warning" for line in lines)


def test_a_finished_operation_waits_for_nothing(api, alice, body, run_worker):
    made = api(alice).post("/v1/servers/create", body).json()
    run_worker()
    lines = api(alice).get(f"/v1/operations/{made['id']}/events").json()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert not any("waiting" in line["data"] for line in lines)
    assert [line["seq"] for line in api(alice).get(f"/v1/operations/{made['id']}/events?after=1").json()][0] == 2


def stream(client, path, **headers):
    answer = client.get(path, HTTP_ACCEPT="text/event-stream", **headers)
    assert answer["Content-Type"] == "text/event-stream"
    text = answer.getvalue().decode()
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.strip().split("\n\n")][1:]


def test_it_streams_a_finished_operation_to_its_end(api, alice, body, run_worker):
    made = api(alice).post("/v1/servers/create", body).json()
    run_worker()
    path = f"/v1/operations/{made['id']}/events"
    messages = stream(api(alice), path)
    assert [int(message["id"]) for message in messages[:-1]] == list(range(1, len(messages)))
    assert messages[-1]["event"] == "end"
    assert orjson.loads(messages[-1]["data"])["status"] == "completed"
    rest = stream(api(alice), path, HTTP_LAST_EVENT_ID=messages[1]["id"])
    assert rest == messages[2:]


def hang_up(answer):
    """Close a stream as the test client does: without the database connection, which is the test's own."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


def test_it_streams_what_is_waited_for(api, bob, operation):
    answer = api(bob).get(f"/v1/operations/{operation.pk}/events", HTTP_ACCEPT="text/event-stream")
    chunks = iter(answer.streaming_content)
    text = (next(chunks) + next(chunks)).decode()
    hang_up(answer)
    assert "event: waiting" in text
    assert "NO_WORKER" in text


def test_a_process_streams_to_eight_at_a_time(api, bob, operation):
    path = f"/v1/operations/{operation.pk}/events"
    answers = [api(bob).get(path, HTTP_ACCEPT="text/event-stream") for _ in range(8)]
    refused = api(bob).get(path, HTTP_ACCEPT="text/event-stream")
    assert (refused.status_code, refused.json()["error"]) == (503, "SERVICE_UNAVAILABLE")
    for answer in answers:
        hang_up(answer)
    last = api(bob).get(path, HTTP_ACCEPT="text/event-stream")
    assert last.status_code == 200
    hang_up(last)
