"""Machines that carry our mark and belong to no server: found, listed, adopted and deleted."""

import pytest

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers.models import Orphan, Server
from apps.servers.services import drift
from apps.workspaces.models import Workspace
from tests.refusals import refused
from tests.servers.drift import compare, lines, marked, result

LOST = "srv-lost0000000000000000"


@pytest.fixture
def stray(account, cloud, run_worker):
    """An orphan that a comparison has found."""
    cloud.create("stray-01", labels=marked(LOST))
    compare(run_worker)
    return Orphan.objects.get()


@pytest.fixture
def adopt(api, alice):
    def ask(orphan, **body):
        return api(alice).post(f"/v1/orphans/{orphan.id}/adopt", {"workspace": "production"} | body)

    return ask


@pytest.fixture
def delete(api, alice):
    return lambda orphan, body=None: api(alice).delete(f"/v1/orphans/{orphan.id}", body)


# ── found ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_finds_a_machine_of_ours_and_no_other(up, cloud, run_worker):
    up()
    cloud.create("somebody-elses")
    cloud.create("another", labels=marked("srv-x") | {"prov-install": "another"})
    machine = cloud.create("stray-01", labels=marked(LOST))
    operation = compare(run_worker)
    [orphan] = Orphan.objects.all()
    assert result(operation) == {"servers": 1, "drifted": [], "orphans": [orphan.id]}
    assert (orphan.ref, orphan.server_id, orphan.hostname) == (machine["uuid"], LOST, "stray-01")
    assert (orphan.plan, orphan.zone, orphan.state) == ("2xCPU-4GB", "de-fra1", "running")
    assert f"{orphan.ref} (stray-01) carries our mark" in lines(operation)


def test_it_keeps_its_id_while_it_is_there_and_goes_with_its_machine(stray, cloud, run_worker):
    assert result(compare(run_worker))["orphans"] == [stray.id]
    again = Orphan.objects.get()
    assert (again.id, again.found_at) == (stray.id, stray.found_at)
    assert again.seen_at > stray.seen_at
    cloud.vanish(stray.ref)
    compare(run_worker)
    assert not Orphan.objects.exists()


def test_it_finds_a_second_machine_of_a_server(up, cloud, run_worker):
    server = up()
    second = cloud.create("second", labels=marked(server.id))
    compare(run_worker)
    assert Orphan.objects.get().ref == second["uuid"]


def test_it_takes_no_server_of_another_account_at_the_same_cloud_for_one(up, cloud, run_worker):
    server = up()
    first = CloudAccount.objects.get()
    other = CloudAccount.objects.create(
        provider="upcloud", name="twin", endpoint=first.endpoint, sealed_credentials=first.sealed_credentials
    )
    assert result(compare(run_worker, other)) == {"servers": 0, "drifted": [], "orphans": []}
    second = cloud.create("second", labels=marked(server.id))
    compare(run_worker, other)
    assert Orphan.objects.get().ref == second["uuid"]


def test_it_takes_no_machine_for_one_that_is_just_being_deleted(up, cloud, api, alice, step, run_worker, settings):
    server = up()
    ref = server.ref
    api(alice).delete(f"/v1/servers/{server.id}")
    run_worker()
    lagging = cloud.create("web-01", labels=marked(server.id))
    assert lagging["uuid"] != ref
    settings.ORDER_LOOKUP_SECONDS = 30
    assert result(compare(run_worker))["orphans"] == []
    settings.ORDER_LOOKUP_SECONDS = 0
    assert len(result(compare(run_worker))["orphans"]) == 1


# ── listed ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_lists_them(stray, api, bob):
    [row] = api(bob).get("/v1/orphans").json()
    assert list(row) == [
        *("id", "provider", "account", "ref", "server_id", "hostname"),
        *("plan", "zone", "state", "found_at", "seen_at"),
    ]
    assert (row["id"], row["provider"], row["account"]) == (stray.id, "upcloud", "default")
    paged = api(bob).get("/v1/orphans?page=1&provider=upcloud&account=default&ordering=-found_at")
    assert (len(paged.json()), paged["X-Total-Count"]) == (1, "1")
    assert api(bob).get("/v1/orphans?provider=aws").json() == []
    refused(api(bob).get("/v1/orphans?created_after=2025-10-01"), 400)


# ── adopted ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_becomes_a_server_that_can_be_deleted(stray, adopt, cloud, shown, api, alice, run_worker):
    operation = adopt(stray).json()
    run_worker()
    server = Server.objects.get()
    assert shown(operation)["result"] == {"server_id": LOST, "ip_address": server.ip_address}
    assert (server.id, server.hostname, server.status) == (LOST, "stray-01", "running")
    assert (server.ref, server.plan, server.zone, server.emulated) == (stray.ref, "2xCPU-4GB", "de-fra1", True)
    assert server.ip_address and server.disks
    assert not Orphan.objects.exists()
    assert result(compare(run_worker)) == {"servers": 1, "drifted": [], "orphans": []}
    api(alice).delete(f"/v1/servers/{LOST}")
    run_worker()
    assert cloud.servers() == cloud.disks() == []


def test_it_takes_the_name_that_is_given(stray, adopt, run_worker):
    refused(adopt(stray, hostname="-no-name"), 400, field="hostname")
    adopt(stray, hostname="web-07")
    run_worker()
    assert Server.objects.get().hostname == "web-07"


def test_it_is_adopted_once_however_often_the_step_runs(stray, adopt, run_worker):
    operation = adopt(stray).json()
    run_worker()
    Operation.objects.filter(pk=operation["id"]).update(status="running", due_at="2020-01-01T00:00:00Z", result=None)
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).result["server_id"] == LOST
    assert Server.objects.count() == 1


def test_it_is_not_adopted_when_it_is_gone(stray, adopt, cloud, shown, run_worker):
    cloud.vanish(stray.ref)
    operation = adopt(stray).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert not Server.objects.exists()


def test_it_refuses_a_name_that_is_taken_meanwhile(stray, adopt, create, shown, run_worker):
    operation = adopt(stray, hostname="web-01").json()
    create()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert "web-01 is taken" in shown(operation)["error"]
    assert "web-01" in refused(adopt(stray, hostname="web-01"), 409)["message"]


def test_it_refuses_a_mark_that_a_server_has(up, adopt, cloud, run_worker):
    server = up()
    cloud.create("second", labels=marked(server.id))
    compare(run_worker)
    assert "only deleted" in refused(adopt(Orphan.objects.get()), 409)["message"]


def test_it_refuses_another_workspace_than_the_account_s(stray, adopt):
    other = Workspace.objects.create(name="staging", path="/opt/workspaces/staging")
    CloudAccount.objects.update(workspace=other)
    refused(adopt(stray), 400, field="workspace")
    refused(adopt(stray, workspace="unknown"), 400, field="workspace")
    assert adopt(stray, workspace="staging").status_code == 200


# ── deleted ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_leaves_nothing(stray, delete, cloud, shown, run_worker):
    cloud.set(stop_seconds=0.2)
    operation = delete(stray).json()
    run_worker()
    assert shown(operation)["result"] == {"orphan_id": stray.id, "ref": stray.ref}
    assert not Orphan.objects.exists()
    assert [disk["title"] for disk in cloud.disks()] == []
    assert cloud.servers() == []


@pytest.mark.parametrize("method", ["DELETE", "POST", "GET"])
def test_it_leaves_nothing_when_answers_are_lost(method, stray, delete, cloud, shown, run_worker):
    cloud.lose_next_answer(method=method, path=r"/server/", times=2)
    operation = delete(stray).json()
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert cloud.servers() == cloud.disks() == []


def test_it_leaves_the_server_s_own_machine_alone(up, delete, cloud, run_worker):
    server = up()
    cloud.create("second", labels=marked(server.id))
    compare(run_worker)
    delete(Orphan.objects.get())
    run_worker()
    [machine] = cloud.servers()
    assert machine["uuid"] == server.ref
    assert [disk["uuid"] for disk in cloud.disks()] == server.disks


def test_it_deletes_nothing_that_has_become_a_server_s(stray, delete, cloud, shown, run_worker):
    operation = delete(stray).json()
    Server.objects.create(
        id=LOST, workspace=Workspace.objects.get(), account=stray.account, hostname="web-09", provider="upcloud",
        plan="2xCPU-4GB", zone="de-fra1", status="running", ref=stray.ref,
    )  # fmt: skip
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert "belongs to the server web-09" in shown(operation)["error"]
    assert len(cloud.servers()) == 1
    refused(delete(stray), 409)


def test_a_comparison_leaves_alone_what_is_being_deleted(stray, delete, cloud, step, run_worker):
    cloud.set(stop_seconds=60)
    operation = delete(stray).json()
    step()
    drift.compare_account(account=stray.account)
    step()
    assert Orphan.objects.get().id == stray.id
    cloud.vanish(stray.ref)
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).status == "completed"
    assert not Orphan.objects.exists()


def test_it_is_held_by_one_operation(stray, adopt, delete):
    assert adopt(stray).status_code == 200
    assert "is held by operation" in refused(adopt(stray), 409)["message"]
    assert "is held by operation" in refused(delete(stray), 409)["message"]


@pytest.mark.parametrize("id", ["orp-unknown", "srv-abc", "orp-", "1"])
def test_it_does_not_find_what_is_not_there(id, api, alice, workspace):
    refused(api(alice).delete(f"/v1/orphans/{id}"), 404)
    refused(api(alice).post(f"/v1/orphans/{id}/adopt", {"workspace": "production"}), 404)


def test_no_server_is_repaired_while_its_second_machine_is_being_deleted(up, cloud, run_worker, api, alice, delete):
    server = up()
    cloud.create("twin", labels=marked(server.id))
    Server.objects.update(drift="stopped")
    compare(run_worker)
    Server.objects.update(drift="stopped")
    operation = delete(Orphan.objects.get()).json()
    for verb in ("adopt", "forget"):
        error = refused(api(alice).post(f"/v1/servers/{server.id}/{verb}"), 409, "CONFLICT")
        assert operation["id"] in error["message"]
