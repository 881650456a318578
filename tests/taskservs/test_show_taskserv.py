"""A taskserv in full, its credentials and its health."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.operations.models import Event, Operation
from apps.taskservs.models import CredentialAccess, Installation, Taskserv
from apps.taskservs.services import credentials, health
from tests.console import browser, page, seeded
from tests.refusals import refused


def test_it_shows_each_server_by_itself(install, api, bob, web_01, web_02):
    id = install("redis", ["web-02", "web-01"], {"port": 6380})
    shown = api(bob).get(f"/v1/taskservs/{id}").json()
    assert list(shown)[:6] == ["id", "name", "version", "servers", "status", "created_at"]
    assert (shown["workspace"], shown["config"], shown["health"]) == ("production", {"port": 6380}, "unknown")
    first, second = shown["installations"]
    assert (first["hostname"], first["role"], second["hostname"], second["role"]) == (
        *("web-02", "primary"),
        *("web-01", "replica"),
    )
    assert (first["state"], first["version"], first["verified_at"], first["emulated"]) == ("running", "7.0", None, True)
    assert shown["endpoints"][0] == {
        **{"name": "redis", "scheme": "redis", "address": "10.0.0.1", "port": 6380},
        **{"server": "web-02", "role": "primary"},
    }


def test_it_names_the_operation_that_changes_it(ask, api, bob, web_01):
    answer = ask("redis").json()
    shown = api(bob).get(f"/v1/taskservs/{Taskserv.objects.get().id}").json()
    assert (shown["operation"], shown["status"], shown["installations"][0]["state"]) == (
        *(answer["id"], "pending"),
        "pending",
    )


def test_it_does_not_find_what_is_not_there(api, alice, charlie, db):
    refused(api(alice).get("/v1/taskservs/tsk-nothere"), 404)
    refused(api(charlie).get("/v1/taskservs/tsk-nothere"), 403)


# ── credentials ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_generated_password_is_shown_to_those_who_may_and_each_look_is_recorded(install, api, alice, bob, web_01):
    id = install("redis")
    answer = api(alice).get(f"/v1/taskservs/{id}/credentials")
    assert list(answer.json()) == ["taskserv_id", "name", "credentials"]
    word = answer.json()["credentials"]["password"]
    assert len(word) == 32 and word.isalnum() and answer["Cache-Control"] == "no-store"
    assert api(alice).get(f"/v1/taskservs/{id}/credentials").json()["credentials"] == {"password": word}
    refused(api(bob).get(f"/v1/taskservs/{id}/credentials"), 403)
    looks = list(CredentialAccess.objects.values_list("taskserv_id", "taskserv_name", "workspace", "username"))
    assert looks == [(id, "redis", "production", "alice")] * 2


def test_looks_are_on_the_taskservs_page(install, api, alice, web_01):
    id = install("redis")
    chief = browser(seeded("chief", "admin"))
    assert "Looks at its credentials" not in chief.get(page(Taskserv.objects.get())).content.decode()
    word = api(alice).get(f"/v1/taskservs/{id}/credentials").json()["credentials"]["password"]
    html = chief.get(page(Taskserv.objects.get())).content.decode()
    assert "Looks at its credentials" in html and "alice" in html and word not in html


def test_secrets_are_nowhere_but_sealed(install, api, alice, web_01):
    given = "a-password-of-mine-1"
    id = install("redis", config={"password": given})
    shown = api(alice).get(f"/v1/taskservs/{id}").content.decode()
    rows = str([*Operation.objects.values(), *Event.objects.values(), *Taskserv.objects.values()])
    assert given not in shown + rows
    assert credentials.opened(Taskserv.objects.get()) == {"password": given}


def test_they_are_sealed_anew_with_another_key(install, web_01, settings):
    install("redis")
    word = credentials.opened(Taskserv.objects.get())
    settings.CREDENTIALS_KEYS = ["another-key-of-many-characters", settings.SECRET_KEY]
    call_command("rotate_secrets")
    settings.CREDENTIALS_KEYS = ["another-key-of-many-characters"]
    assert credentials.opened(Taskserv.objects.get()) == word


# ── health ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_emulated_taskserv_is_verified_by_name_only(install, api, alice, web_01, run_worker, lines):
    answer = api(alice).post(f"/v1/taskservs/{install('redis')}/verify", {})
    run_worker()
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert operation.result == {"taskserv_id": Taskserv.objects.get().id, "health": "unknown", "emulated": True}
    assert any("emulated: nothing was verified" in line for line in lines(answer))
    assert Installation.objects.get().health == "unknown"


def test_a_verification_holds_up_no_change(install, api, alice, web_01):
    id = install("redis")
    assert api(alice).post(f"/v1/taskservs/{id}/verify", {}).status_code == 200
    assert api(alice).post(f"/v1/taskservs/{id}/verify", {}).status_code == 409
    assert api(alice).post(f"/v1/taskservs/{id}/configure", {"config": {"port": 6380}}).status_code == 200


def test_only_a_running_one_can_be_verified(ask, api, alice, web_01):
    ask("redis")
    refused(api(alice).post(f"/v1/taskservs/{Taskserv.objects.get().id}/verify", {}), 409)


@pytest.mark.parametrize(
    ("healths", "worst"),
    [
        (["healthy", "healthy"], "healthy"),
        (["healthy", "unknown"], "unknown"),
        (["unreachable", "healthy"], "unreachable"),
        (["degraded", "unreachable"], "degraded"),
        ([], "unknown"),
    ],
)
def test_it_is_as_healthy_as_its_worst_server(healths, worst):
    assert health.worst(healths) == worst


def test_no_change_leaves_it_as_it_is(install, api, alice, web_01):
    path = f"/v1/taskservs/{install('redis')}"
    assert api(alice).patch(path, {"health_checks": False}).status_code == 200
    answer = api(alice).patch(path, {})
    assert (answer.status_code, answer.json()["health_checks"]) == (200, False)
    refused(api(alice).patch("/v1/taskservs/tsk-nothere", {}), 404)


def test_the_schedule_verifies_what_was_not_verified_for_long(install, machine, web_01, settings, api, alice):
    settings.TASKSERV_VERIFY_MINUTES = 60
    id = install("redis")
    health.verify_due()
    assert not Operation.objects.filter(kind="taskserv.verify").exists()  # nothing to verify on an emulated machine
    web_01.emulated = False
    web_01.save()
    Installation.objects.update(verified_at=timezone.now() - timedelta(minutes=59))
    health.verify_due()
    assert not Operation.objects.filter(kind="taskserv.verify").exists()
    Installation.objects.update(verified_at=timezone.now() - timedelta(minutes=61))
    answer = api(alice).patch(f"/v1/taskservs/{id}", {"health_checks": False})
    assert answer.json()["health_checks"] is False
    health.verify_due()
    assert not Operation.objects.filter(kind="taskserv.verify").exists()
    api(alice).patch(f"/v1/taskservs/{id}", {"health_checks": True})
    settings.TASKSERV_VERIFY_MINUTES = 0
    health.verify_due()
    assert not Operation.objects.filter(kind="taskserv.verify").exists()
    settings.TASKSERV_VERIFY_MINUTES = 60
    health.verify_due()
    health.verify_due()
    assert Operation.objects.filter(kind="taskserv.verify", actor=None).count() == 1


def test_what_was_found_is_not_noted_while_a_change_is_under_way(install, ask, web_01):
    taskserv = Taskserv.objects.get(pk=install("redis"))
    found = {web_01.id: {"health": "degraded", "error": "web-01: no answer."}}
    assert health.note_findings(taskserv, found)
    assert (Installation.objects.get().health, Installation.objects.get().error) == ("degraded", "web-01: no answer.")
    ask("redis")
    assert not health.note_findings(taskserv, {web_01.id: {"health": "healthy", "error": ""}})
    assert Installation.objects.get().health == "degraded"


def test_it_is_counted_by_health_for_prometheus(install, web_01, web_02, api, root):
    install("redis", ["web-01", "web-02"])
    Installation.objects.filter(server=web_01).update(health="degraded")
    page = api(root).get("/metrics").content.decode()
    assert 'provisioning_taskserv_installations{health="degraded",taskserv="redis"} 1.0' in page
