from apps.operations.models import Operation
from apps.servers.models import Server


def test_it_creates_the_machine_and_settles_the_server(api, alice, body, cloud, run_worker):
    answer = api(alice).post("/v1/servers/create", body)
    assert answer.status_code == 200, answer.content
    operation = answer.json()
    assert list(operation) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert (operation["status"], operation["result"], operation["error"]) == ("pending", None, None)

    [listed] = api(alice).get("/v1/servers").json()
    assert (listed["hostname"], listed["status"], listed["ip_address"]) == ("web-01", "pending", None)

    run_worker()
    ended = api(alice).get(f"/v1/operations/{operation['id']}").json()
    assert ended["status"] == "completed", ended
    assert list(ended["result"]) == ["server_id", "ip_address"]
    server = api(alice).get(f"/v1/servers/{ended['result']['server_id']}/status").json()
    assert server["status"] == "running"
    assert server["ip_address"] == ended["result"]["ip_address"]
    assert len(cloud.creates(server["id"])) == 1


def test_it_settles_the_server_when_the_cloud_refuses(api, alice, body, cloud, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    api(alice).post("/v1/servers/create", body)
    run_worker()
    assert Server.objects.get().status == "failed"
    operation = Operation.objects.get()
    assert (operation.status, operation.error_code) == ("failed", "PROVIDER_CAPACITY")


def test_it_adopts_the_machine_whose_answer_was_lost(api, alice, body, cloud, run_worker):
    cloud.lose_next_answer()
    api(alice).post("/v1/servers/create", body)
    run_worker()
    server = Server.objects.get()
    assert server.status == "running", list(Operation.objects.get().events.values_list("message", flat=True))
    assert len(cloud.creates(server.id)) == 1
