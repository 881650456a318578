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
    assert changes[2]["tasks"][0] == "Check that this is Debian 12"
    assert ["Set up the control plane" in change["tasks"] for change in changes] == [False, False, True, False]
    assert not Taskserv.objects.exists() and not Installation.objects.exists()
    assert api(alice).get("/v1/taskservs").json() == []


def test_it_leaves_out_what_is_there_already(ask, install, web_01, run_worker):
    install("containerd")
    answer = ask("kubernetes", check_mode=True)
    run_worker()
    changes = Operation.objects.get(pk=answer.json()["id"]).result["changes"]
    assert [change["taskserv"] for change in changes] == ["kubernetes"]


def test_it_leaves_out_tasks_whose_conditions_are_not_met(ask, web_01, run_worker):
    tasks = {}
    for version in ("7.0", "7.4"):
        answer = ask("redis", config={"version": version}, check_mode=True)
        run_worker()
        [change] = Operation.objects.get(pk=answer.json()["id"]).result["changes"]
        tasks[version] = set(change["tasks"])
    assert tasks["7.4"] - tasks["7.0"] == {
        "Install what a package source needs",
        "Add the package source of redis.io",
    }
    assert "Load the kernel settings" in tasks["7.0"]  # only the machine can tell


def test_it_holds_nothing(ask, web_01, run_worker):
    assert ask("redis", check_mode=True).status_code == 200
    assert ask("redis", check_mode=True).status_code == 200
    assert ask("redis").status_code == 200
    run_worker()
    assert set(Operation.objects.values_list("status", flat=True)) == {"completed"}


def test_it_refuses_whenever_the_real_thing_would(ask, install, machine, web_01):
    install("redis")
    machine("web-02", status="stopped")
    refused(ask("redis", check_mode=True), 409)
    refused(ask("redis", ["web-02"], check_mode=True), 409)
    refused(ask("redis", ["web-03"], check_mode=True), 400, field="servers")
    refused(ask("nginx", config={"port": 1}, check_mode=True), 400)


def test_it_fails_on_a_real_machine_as_the_real_thing_would(ask, machine, run_worker):
    machine("db-01", emulated=False)
    ask("redis", ["db-01"], check_mode=True)
    run_worker()
    assert (Operation.objects.get().status, Operation.objects.get().error_code) == ("failed", "INSTALLER_UNAVAILABLE")


def test_it_can_be_cancelled(ask, api, alice, web_01, run_worker):
    id = ask("redis", check_mode=True).json()["id"]
    assert api(alice).post(f"/v1/operations/{id}/cancel").json()["status"] == "cancelled"
    run_worker()
