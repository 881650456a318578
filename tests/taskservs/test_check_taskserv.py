from apps.operations.models import Operation
from apps.taskservs.models import Installation, Taskserv
from tests.refusals import refused


def test_it_lists_what_would_be_done_and_creates_no_rows(ask, api, alice, web_01, web_02, run_worker):
    answer = ask("kubernetes", ["web-02", "web-01"], {"version": "1.28.0"}, check_mode=True)
    assert answer.status_code == 200, answer.content
    assert not Taskserv.objects.exists() and not Installation.objects.exists()
    run_worker()
    ended = api(alice).get(f"/v1/operations/{answer.json()['id']}").json()
    assert ended["status"] == "completed", ended
    assert list(ended["result"]) == ["check_mode", "changes"]
    assert ended["result"]["check_mode"] is True
    changes = ended["result"]["changes"]
    assert [(change["server"], change["taskserv"], change["version"]) for change in changes] == [
        ("web-02", "containerd", "1.6"),
        ("web-01", "containerd", "1.6"),
        ("web-02", "kubernetes", "1.28.0"),
        ("web-01", "kubernetes", "1.28.0"),
    ]
    assert list(changes[0]) == ["server", "taskserv", "version", "tasks"]
    assert "Install packages" in changes[2]["tasks"]
    assert ["Set up the control plane" in change["tasks"] for change in changes] == [False, False, True, False]
    assert not Taskserv.objects.exists() and not Installation.objects.exists()
    assert api(alice).get("/v1/taskservs").json() == []


def test_it_leaves_out_what_is_there_already(ask, install, web_01, run_worker):
    install("containerd")
    answer = ask("kubernetes", check_mode=True)
    run_worker()
    changes = Operation.objects.get(pk=answer.json()["id"]).result["changes"]
    assert [change["taskserv"] for change in changes] == ["kubernetes"]


def test_it_leaves_out_tasks_whose_conditions_are_not_met(ask, web_01, web_02, run_worker):
    tasks = {}
    for server in ("web-01", "web-02"):
        answer = ask("kubernetes", ["web-01", "web-02"], check_mode=True)
        run_worker()
        changes = Operation.objects.get(pk=answer.json()["id"]).result["changes"]
        [change] = [each for each in changes if (each["server"], each["taskserv"]) == (server, "kubernetes")]
        tasks[server] = set(change["tasks"])
    assert "Set up the control plane" in tasks["web-01"] - tasks["web-02"]
    assert "Turn swap off" in tasks["web-01"] & tasks["web-02"]  # only the machine can tell


def test_it_holds_nothing(ask, web_01, run_worker):
    assert ask("redis", check_mode=True).status_code == 200
    assert ask("redis", check_mode=True).status_code == 200
    assert ask("redis").status_code == 200
    run_worker()
    assert set(Operation.objects.values_list("status", flat=True)) == {"completed"}


def test_it_refuses_whenever_the_real_thing_would(ask, install, machine, web_01):
    install("redis")
    machine("web-02", status="stopped")
    refused(ask("redis", config={"port": 6380}, check_mode=True), 409)
    refused(ask("redis", ["web-02"], check_mode=True), 409)
    refused(ask("redis", ["web-03"], check_mode=True), 400, field="servers")
    refused(ask("nginx", config={"port": 1}, check_mode=True), 400)


def test_it_can_be_cancelled(ask, api, alice, web_01, run_worker):
    id = ask("redis", check_mode=True).json()["id"]
    assert api(alice).post(f"/v1/operations/{id}/cancel").json()["status"] == "cancelled"
    run_worker()
