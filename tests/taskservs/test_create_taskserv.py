import pytest

from apps.operations.models import Operation
from apps.taskservs.catalog_loader import definition_named
from apps.taskservs.models import Installation, Taskserv
from tests.refusals import refused

ENDED = ("completed", "failed", "cancelled")


def test_it_answers_a_pending_operation_and_lists_the_taskserv_at_once(ask, api, alice, web_01, web_02):
    answer = ask("redis", ["web-02", "web-01"], {"version": "7.0", "port": 6380})
    assert answer.status_code == 200, answer.content
    operation = answer.json()
    assert list(operation) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert (operation["status"], operation["result"], operation["error"]) == ("pending", None, None)
    [listed] = api(alice).get("/v1/taskservs").json()
    assert (listed["name"], listed["version"], listed["servers"], listed["status"]) == (
        "redis",
        "7.0",
        ["web-01", "web-02"],
        "pending",
    )


def test_it_settles_the_taskserv_and_the_result(ask, api, alice, web_01, web_02, run_worker):
    id = ask("redis", ["web-02", "web-01"], {"port": 6380}).json()["id"]
    run_worker()
    ended = api(alice).get(f"/v1/operations/{id}").json()
    taskserv = Taskserv.objects.get()
    assert ended["status"] == "completed", ended
    assert list(ended["result"].items()) == [
        ("taskserv_id", taskserv.id),
        ("version", "7.0"),
        ("servers", ["web-01", "web-02"]),
    ]
    assert taskserv.status == "running"
    assert taskserv.config == {"port": 6380}


def test_it_logs_each_task_on_each_server_as_emulated(ask, web_01, web_02, run_worker):
    operation = Operation.objects.get(pk=ask("redis", ["web-01", "web-02"]).json()["id"])
    run_worker()
    events = [event for event in operation.events.all() if event.data.get("task")]
    assert {event.data["server"] for event in events} == {"web-01", "web-02"}
    assert all(event.data["emulated"] and "emulated: nothing was" in event.message for event in events)
    assert events[0].message == "web-01: Install packages (emulated: nothing was installed)"
    assert [event.seq for event in operation.events.all()] == list(range(1, operation.events.count() + 1))


def test_it_goes_in_several_steps_that_show_progress(ask, step, web_01):
    answer = ask("redis")
    operation = step(answer)
    assert operation.status == "running"
    assert operation.status_message.startswith("redis: ") and operation.status_message.endswith(
        "tasks walked (emulated)"
    )
    assert operation.state["walked"] > 0
    steps = 1
    while operation.status == "running":
        operation, steps = step(answer), steps + 1
    assert (operation.status, steps) == ("completed", 5)


def test_it_repeats_a_step_without_changing_anything(ask, step, web_01):
    answer = ask("kubernetes")
    while Operation.objects.get().status not in ENDED:
        first = step(answer, crash=True)
        before = list(Taskserv.objects.values()), list(Installation.objects.values())
        second = step(answer, crash=True)
        assert second == first
        assert (list(Taskserv.objects.values()), list(Installation.objects.values())) == before
        step(answer)
    assert Operation.objects.get().status == "completed"
    assert set(Taskserv.objects.values_list("name", "status")) == {("containerd", "running"), ("kubernetes", "running")}


# ── requirements and conflicts ────────────────────────────────────────────────────────────────────────────────────────
def test_it_installs_what_is_required_first_in_the_same_operation(ask, lines, web_01, web_02, run_worker):
    answer = ask("kubernetes", ["web-01", "web-02"], {"version": "1.28.0"})
    containerd, kubernetes = Taskserv.objects.get(name="containerd"), Taskserv.objects.get(name="kubernetes")
    assert (containerd.version, containerd.status, containerd.config) == ("1.6", "pending", {})
    run_worker()
    assert Operation.objects.count() == 1
    assert Operation.objects.get().result["taskserv_id"] == kubernetes.id
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"running"}
    log = lines(answer)
    assert log.index("web-02: Configure containerd (emulated: nothing was configured)") < log.index(
        "web-01: Set up the control plane (emulated: nothing was configured)"
    )


def test_it_installs_a_requirement_only_where_it_is_missing(ask, install, web_01, web_02, run_worker):
    install("containerd", ["web-01"])
    ask("kubernetes", ["web-01", "web-02"])
    run_worker()
    second = Taskserv.objects.filter(name="containerd").order_by("created_at").last()
    assert [server.hostname for server in second.servers.all()] == ["web-02"]


def test_it_keeps_the_order_in_which_servers_were_named(ask, web_01, web_02):
    ask("kubernetes", ["web-02", "web-01"])
    kubernetes = Taskserv.objects.get(name="kubernetes")
    assert [each.server.hostname for each in kubernetes.installations.all()] == ["web-02", "web-01"]


def test_it_takes_its_turn_after_what_is_at_work_on_the_same_server(ask, step, web_01, run_worker):
    first, second = ask("redis"), ask("nginx")
    waiting = step(second)
    assert waiting.status == "running"
    assert waiting.status_message == f"operation {first.json()['id']} is at work on the same servers"
    assert not waiting.events.filter(message__contains="emulated").exists()
    run_worker()
    assert set(Operation.objects.values_list("status", flat=True)) == {"completed"}


def test_it_waits_for_a_requirement_that_is_being_installed(ask, web_01, run_worker):
    ask("containerd")
    ask("kubernetes")
    assert Taskserv.objects.filter(name="containerd").count() == 1
    run_worker()
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"running"}


def test_it_fails_when_the_requirement_it_waited_for_was_cancelled(ask, api, alice, web_01, run_worker):
    first, second = ask("containerd"), ask("kubernetes")
    api(alice).post(f"/v1/operations/{first.json()['id']}/cancel")
    run_worker()
    operation = Operation.objects.get(pk=second.json()["id"])
    assert (operation.status, operation.error_code) == ("failed", "REQUIREMENT_MISSING")
    assert "containerd" in operation.error and "web-01" in operation.error


def test_it_refuses_what_conflicts_whichever_of_the_two_says_so(ask, install, web_01):
    id = install("docker")
    assert id in refused(ask("containerd"), 409)["message"]
    message = refused(ask("kubernetes"), 409)["message"]
    assert "containerd" in message and "docker" in message and "web-01" in message
    assert Taskserv.objects.count() == 1


def test_it_refuses_a_requirement_that_is_being_deleted(ask, install, api, alice, web_01):
    id = install("containerd")
    api(alice).delete(f"/v1/taskservs/{id}")
    assert id in refused(ask("kubernetes"), 409)["message"]


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_refuses_an_unknown_workspace(ask, web_01):
    refused(ask(workspace="elsewhere"), 400, field="workspace")


def test_it_refuses_an_unknown_name_and_suggests_the_nearest(ask, web_01):
    body = refused(ask("kubernets"), 400, field="name")
    assert "did you mean kubernetes?" in body["message"]


def test_it_refuses_an_unknown_version_and_names_the_known(ask, web_01):
    body = refused(ask("redis", config={"version": "9.9"}), 400, field="config.version")
    assert "7.0" in body["message"]


@pytest.mark.parametrize("version", [7.0, None, ["7.0"], {"major": 7}, "", "{}"])
def test_it_refuses_a_version_of_another_type(ask, web_01, version):
    refused(ask("redis", config={"version": version}), 400, field="config.version")


def test_it_refuses_an_unknown_server_and_suggests_the_nearest(ask, web_01):
    body = refused(ask(servers=["web-1"]), 400, field="servers")
    assert "did you mean web-01?" in body["message"]


def test_it_refuses_a_server_of_another_workspace(ask, web_01, machine):
    machine("db-01", place="staging")
    refused(ask(servers=["web-01", "db-01"]), 400, field="servers")


def test_it_refuses_an_unknown_config_key_and_suggests_the_nearest(ask, web_01):
    body = refused(ask("redis", config={"maxmemroy": "1gb"}), 400, field="config.maxmemroy")
    assert body["details"]["config.maxmemroy"] == ["Unknown key; did you mean maxmemory?"]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"port": "6379"}, "config.port"),
        ({"port": 80}, "config.port"),
        ({"port": True}, "config.port"),
        ({"bind": []}, "config.bind"),
        ({"bind": ["127.0.0.1", "a host; rm -rf /"]}, "config.bind.1"),
        ({"maxmemory": "1gb\nrequirepass x"}, "config.maxmemory"),
        ({"maxmemory": "1gb\n"}, "config.maxmemory"),
        ({"maxmemory_policy": "most"}, "config.maxmemory_policy"),
        ({"appendonly": 1}, "config.appendonly"),
    ],
)
def test_it_refuses_a_config_that_breaks_the_schema(ask, web_01, config, field):
    assert field in refused(ask("redis", config=config), 400)["details"]
    assert not Taskserv.objects.exists() and not Operation.objects.exists()


def test_it_says_what_the_option_takes(ask, web_01):
    [text] = refused(ask("redis", config={"maxmemory": "much"}), 400)["details"]["config.maxmemory"]
    assert text.endswith(definition_named("redis").options["maxmemory"]["description"])


@pytest.mark.parametrize("config", [{"a{0}": 1}, {"{name}": "{x}"}, {"port": "{port}"}])
def test_it_quotes_braces_as_they_are(ask, web_01, config):
    refused(ask("redis", config=config), 400)


@pytest.mark.parametrize("given", [{"servers": []}, {"servers": ["web-01", "WEB-01"]}, {"servers": "web-01"}])
def test_it_refuses_no_servers_and_servers_named_twice(ask, web_01, given):
    refused(ask(**given), 400, field="servers")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"check_mod": True}, "check_mod"),
        ({"check_mode": "true"}, "check_mode"),
        ({"config": []}, "config"),
        ({"name": 5}, "name"),
        ({"servers": [5]}, "servers"),
    ],
)
def test_it_refuses_other_shapes(api, alice, web_01, given, field):
    body = {"workspace": "production", "name": "redis", "servers": ["web-01"], **given}
    refused(api(alice).post("/v1/taskservs/create", body), 400, field=field)


def test_it_knows_hostnames_in_any_case(ask, web_01):
    assert ask(servers=["WEB-01"]).status_code == 200


@pytest.mark.parametrize("status", ["pending", "stopped", "failed", "deleting"])
def test_it_refuses_a_server_that_is_not_running(ask, web_01, machine, status):
    machine("web-02", status=status)
    message = refused(ask(servers=["web-01", "web-02"]), 409)["message"]
    assert "web-02" in message and status in message


def test_it_refuses_a_server_that_an_operation_holds(ask, web_01, api, alice):
    holder = api(alice).delete(f"/v1/servers/{web_01.id}").json()["id"]
    message = refused(ask(), 409)["message"]
    assert "web-01" in message and holder in message


@pytest.mark.parametrize("done", [False, True])
def test_it_refuses_the_same_taskserv_twice_on_a_server(ask, web_01, web_02, run_worker, done):
    ask("redis", ["web-01"])
    if done:
        run_worker()
    message = refused(ask("redis", ["web-02", "web-01"]), 409)["message"]
    assert "web-01" in message and Taskserv.objects.get().id in message


# ── what becomes of a failure ────────────────────────────────────────────────────────────────────────────────────────
def test_it_fails_when_its_server_stopped_meanwhile(ask, web_01, step):
    answer = ask("kubernetes")
    step(answer)
    web_01.status = "stopped"
    web_01.save()
    operation = step(answer)
    assert operation.status == "failed" and "web-01 is stopped" in operation.error
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"failed"}


def test_it_keeps_the_requirement_that_was_installed_before_the_failure(ask, web_01, step):
    answer = ask("kubernetes")
    while not Installation.objects.filter(state="running").exists():
        step(answer)
    web_01.status = "stopped"
    web_01.save()
    step(answer)
    assert dict(Taskserv.objects.values_list("name", "status")) == {"containerd": "running", "kubernetes": "failed"}
