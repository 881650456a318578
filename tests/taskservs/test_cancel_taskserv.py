import pytest

from apps.operations.models import Operation
from apps.taskservs.models import Installation, Taskserv


@pytest.fixture
def cancel(api, alice):
    def go(answer):
        return api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")

    return go


def test_it_leaves_no_rows_of_a_pending_installation(ask, cancel, web_01, run_worker, lines):
    answer = ask("kubernetes")
    assert cancel(answer).json()["status"] == "cancelled"
    assert not Taskserv.objects.exists() and not Installation.objects.exists()
    run_worker()
    assert not any("emulated" in line for line in lines(answer))


def test_it_removes_what_was_begun_and_then_the_rows(ask, cancel, step, web_01, web_02, run_worker, lines):
    answer = ask("kubernetes", ["web-01", "web-02"])
    while not Installation.objects.filter(state="running").exists():
        step(answer)
    step(answer)
    assert cancel(answer).json()["status"] == "cancelled"
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"deleting"}
    run_worker()
    assert not Taskserv.objects.exists() and not Installation.objects.exists()
    log = lines(answer)
    assert "web-02: Look for kubeadm (emulated: nothing was removed)" in log
    assert log.index("web-01: Look for kubeadm (emulated: nothing was removed)") < log.index(
        "web-01: Remove the packages (emulated: nothing was removed)"
    )
    assert log[-1] == "Undone: nothing is left of it."


def test_it_removes_only_what_was_begun(ask, cancel, step, web_01, run_worker, lines):
    answer = ask("kubernetes")
    step(answer)
    cancel(answer)
    run_worker()
    removed = [line for line in lines(answer) if "nothing was removed" in line]
    assert removed and not any("kubeadm" in line for line in removed)


def test_it_has_nothing_to_remove_while_it_waits_for_its_turn(ask, cancel, step, web_01, run_worker, lines):
    ask("redis")
    second = ask("nginx")
    step(second)
    cancel(second)
    run_worker()
    assert list(Taskserv.objects.values_list("name", "status")) == [("redis", "running")]
    assert "Nothing was installed: there is nothing to remove." in lines(second)


def test_it_repeats_an_undoing_step_without_changing_anything(ask, cancel, step, web_01):
    answer = ask("redis")
    step(answer)
    cancel(answer)
    while Operation.objects.get().is_undoing:
        first = step(answer, crash=True)
        before = list(Taskserv.objects.values()), list(Installation.objects.values())
        assert step(answer, crash=True) == first
        assert (list(Taskserv.objects.values()), list(Installation.objects.values())) == before
        step(answer)
    assert not Taskserv.objects.exists()


def test_it_says_what_could_not_be_undone(ask, cancel, step, web_01, run_worker):
    answer = ask("redis")
    step(answer)
    cancel(answer)
    web_01.status = "stopped"
    web_01.save()
    run_worker()
    operation = Operation.objects.get()
    assert operation.status == "cancelled" and "web-01 is stopped" in operation.error
    assert Taskserv.objects.get().status == "failed"


def test_it_frees_the_server_for_the_next(ask, cancel, step, install, web_01, run_worker):
    answer = ask("redis")
    step(answer)
    cancel(answer)
    assert ask("redis").status_code == 409  # it is still being removed
    run_worker()
    install("redis")


def test_it_brings_back_a_taskserv_whose_removal_never_began(install, cancel, api, alice, web_01):
    id = install("redis")
    cancel(api(alice).delete(f"/v1/taskservs/{id}"))
    assert Taskserv.objects.get(pk=id).status == "running"


def test_it_calls_failed_what_was_cancelled_amid_its_removal(install, cancel, step, api, alice, web_01, run_worker):
    id = install("redis")
    answer = api(alice).delete(f"/v1/taskservs/{id}?purge=true")
    step(answer)
    on_server = api(alice).get(f"/v1/taskservs/{id}").json()["installations"][0]
    assert (on_server["state"], on_server["error"]) == ("removing", None)
    assert cancel(answer).json()["status"] == "cancelled"
    assert Taskserv.objects.get(pk=id).status == "failed"
    on_server = api(alice).get(f"/v1/taskservs/{id}").json()["installations"][0]
    assert (on_server["state"], on_server["error"]) == ("failed", "Its removal was cancelled.")
    run_worker()
    api(alice).delete(f"/v1/taskservs/{id}")
    run_worker()
    assert not Taskserv.objects.exists()
