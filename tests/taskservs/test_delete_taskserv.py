from apps.operations import registry
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services.delete import delete_taskserv
from tests.refusals import refused


def test_it_removes_the_taskserv_and_answers_its_id(install, api, alice, web_01, run_worker, lines):
    id = install("redis")
    answer = api(alice).delete(f"/v1/taskservs/{id}", {"workspace": "production", "taskserv_id": id})
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert [each["status"] for each in api(alice).get("/v1/taskservs").json()] == ["deleting"]
    run_worker()
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert (operation.status, operation.result) == ("completed", {"taskserv_id": id})
    assert not Taskserv.objects.exists() and not Installation.objects.exists()
    assert "web-01: Remove the packages (emulated: nothing was removed)" in lines(answer)
    assert not any("Remove data, logs and settings" in line for line in lines(answer))
    refused(api(alice).delete(f"/v1/taskservs/{id}"), 404)


def test_it_needs_no_body(install, api, alice, web_01):
    assert api(alice).delete(f"/v1/taskservs/{install()}").status_code == 200


def test_it_refuses_a_body_that_names_another_taskserv(install, api, alice, web_01):
    refused(api(alice).delete(f"/v1/taskservs/{install()}", {"taskserv_id": "tsk-other"}), 400, field="taskserv_id")


def test_it_does_not_find_it_in_another_workspace(install, api, alice, web_01):
    refused(api(alice).delete(f"/v1/taskservs/{install()}", {"workspace": "staging"}), 404)


def test_it_does_not_find_what_is_not_there(api, alice, db):
    refused(api(alice).delete("/v1/taskservs/tsk-nothere"), 404)
    refused(api(alice).delete("/v1/taskservs/srv-123"), 404)
    refused(api(alice).delete("/v1/taskservs/catalog"), 405)


def test_it_refuses_unknown_fields(install, api, alice, web_01):
    refused(api(alice).delete(f"/v1/taskservs/{install()}", {"force": True}), 400, field="force")


def test_it_refuses_while_an_operation_holds_it(ask, api, alice, web_01):
    holder = ask("redis").json()["id"]
    id = Taskserv.objects.get().id
    assert holder in refused(api(alice).delete(f"/v1/taskservs/{id}"), 409)["message"]


def test_it_refuses_while_another_on_the_server_requires_it(install, api, alice, web_01, web_02, run_worker):
    kubernetes = install("kubernetes", ["web-01"])
    other = install("containerd", ["web-02"])
    containerd = Taskserv.objects.filter(name="containerd").exclude(pk=other).get().id
    message = refused(api(alice).delete(f"/v1/taskservs/{containerd}"), 409)["message"]
    assert kubernetes in message and "kubernetes" in message and "web-01" in message
    assert api(alice).delete(f"/v1/taskservs/{other}").status_code == 200
    api(alice).delete(f"/v1/taskservs/{kubernetes}")
    run_worker()
    assert api(alice).delete(f"/v1/taskservs/{containerd}").status_code == 200


def test_it_refuses_while_a_server_is_not_running(install, api, alice, web_01):
    id = install()
    Server.objects.update(status="stopped")
    assert "web-01 is stopped" in refused(api(alice).delete(f"/v1/taskservs/{id}"), 409)["message"]


def test_it_forgets_what_was_never_installed(ask, api, alice, web_01, run_worker, lines):
    ask("redis")
    Server.objects.update(status="stopped")
    run_worker()
    Server.objects.update(status="running")
    answer = api(alice).delete(f"/v1/taskservs/{Taskserv.objects.get().id}")
    run_worker()
    assert not Taskserv.objects.exists()
    assert "Nothing was installed: there is nothing to remove." in lines(answer)


def test_it_never_removes_what_has_been_installed_anew(
    ask, step, install, api, alice, web_01, web_02, run_worker, lines
):
    first = ask("redis", ["web-01", "web-02"])
    step(first)
    Server.objects.update(status="stopped")
    step(first)
    failed = Taskserv.objects.get().id
    Server.objects.update(status="running")
    anew = install("redis", ["web-01"])
    answer = api(alice).delete(f"/v1/taskservs/{failed}")
    run_worker()
    assert list(Taskserv.objects.values_list("id", "status")) == [(anew, "running")]
    removed = [line for line in lines(answer) if "nothing was removed" in line]
    assert removed and not any("web-01" in line for line in removed)


def test_it_repeats_a_step_without_changing_anything(install, step, api, alice, web_01):
    answer = api(alice).delete(f"/v1/taskservs/{install()}")
    while Operation.objects.get(pk=answer.json()["id"]).status in ("pending", "running"):
        first = step(answer, crash=True)
        before = list(Taskserv.objects.values()), list(Installation.objects.values())
        assert step(answer, crash=True) == first
        assert (list(Taskserv.objects.values()), list(Installation.objects.values())) == before
        step(answer)
    assert not Taskserv.objects.exists()


# ── the doors for workflows ───────────────────────────────────────────────────────────────────────────────────────────
def test_a_workflow_rolls_a_creation_back_by_its_kind(alice, web_01, run_worker):
    creating = registry.kind_named("taskserv.create")
    given = creating.validate_input({"name": "redis", "servers": ["web-01"]})
    assert given == {"name": "redis", "servers": ["web-01"], "config": {}}
    operation = creating.submit(workspace="production", actor=alice, parent=None, **given)
    run_worker()
    operation.refresh_from_db()
    name, back = creating.compensation(operation.result, given)
    removing = registry.kind_named(name)
    removing.submit(workspace="production", actor=alice, parent=None, **removing.validate_input(back))
    run_worker()
    assert not Taskserv.objects.exists()


def test_it_can_be_checked_only(alice, install, web_01, run_worker):
    id = install("redis")
    operation = delete_taskserv(taskserv_id=id, actor=alice, check_mode=True)
    run_worker()
    operation.refresh_from_db()
    [change] = operation.result["changes"]
    assert (change["server"], change["taskserv"]) == ("web-01", "redis") and change["tasks"]
    assert Taskserv.objects.get().status == "running"
