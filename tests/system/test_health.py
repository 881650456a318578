import json

from tests.refusals import refused


def test_it_is_healthy_and_asks_for_no_token(api, db):
    answer = api().get("/health")
    assert answer.status_code == 200
    body = json.loads(answer.content)
    assert list(body) == ["status", "version", "uptime_seconds"]
    assert body["status"] == "healthy"
    assert body["version"] == "0.1.0"
    assert type(body["uptime_seconds"]) is int and body["uptime_seconds"] >= 0


def test_it_ignores_a_revoked_token(api, db):
    assert api().get("/health", HTTP_AUTHORIZATION="Bearer dead").status_code == 200


def test_it_cannot_be_changed(api, db):
    refused(api().post("/health", {}), 405)


def test_it_counts_operations(api, alice, body, run_worker):
    tasks = api(alice).get("/v1/metrics").json()["tasks"]
    assert tasks == {"total": 0, "running": 0}
    for hostname in ("web-01", "web-02"):
        api(alice).post("/v1/servers/create", body | {"hostname": hostname})
    run_worker()
    api(alice).post("/v1/servers/create", body | {"hostname": "web-03"})
    metrics = api(alice).get("/v1/metrics").json()
    assert list(metrics) == ["uptime_seconds", "tasks"]
    assert metrics["tasks"] == {"total": 3, "running": 0}
