"""POST /v1/servers/{id}/recreate: a new machine for a server whose machine is gone, and never a second one."""

import pytest

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers import services
from apps.servers.models import Server
from apps.taskservs.models import Installation, Taskserv
from tests.refusals import refused
from tests.servers.drift import compare, lines, marked, result


@pytest.fixture
def recreate(api, alice):
    return lambda server, body=None: api(alice).post(f"/v1/servers/{server.id}/recreate", body)


@pytest.fixture
def gone(up, cloud, run_worker):
    """A server whose machine is known to be gone."""
    server = up()
    cloud.vanish(server.ref)
    compare(run_worker)
    CloudAccount.objects.update(next_list_at=None)  # the account may be listed at once, not a second later
    server.refresh_from_db()
    assert server.drift == "gone"
    return server


def seen(server):
    server.refresh_from_db()
    return server.status, server.drift


def test_it_makes_the_machine_anew(gone, recreate, cloud, shown, run_worker):
    before = gone.ref
    operation = recreate(gone).json()
    assert seen(gone)[0] == "pending"
    run_worker()
    assert shown(operation)["status"] == "completed", shown(operation)
    assert seen(gone) == ("running", "")
    [machine] = cloud.servers()
    assert machine["uuid"] == gone.ref != before
    assert (machine["hostname"], machine["plan"], machine["zone"]) == ("web-01", "2xCPU-4GB", "de-fra1")
    assert {"key": "prov-tags", "value": "web,production"} in machine["labels"]["label"]
    assert {"key": "prov-machine", "value": gone.id} in machine["labels"]["label"]
    facts = {"server_id": gone.id, "ip_address": gone.ip_address, "not_installed": []}
    assert shown(operation)["result"] == facts
    assert result(compare(run_worker)) == {"servers": 1, "drifted": [], "orphans": []}


def test_the_new_machine_has_a_new_host_key(gone, recreate, run_worker):
    Server.objects.update(ssh_host_key="ssh-ed25519 AAAA the old machine's own", ordered_host_key="")
    before = gone.ordered_host_key
    recreate(gone)
    run_worker()
    gone.refresh_from_db()
    assert gone.ssh_host_key == gone.ordered_host_key != before
    assert gone.ssh_host_key.startswith("ecdsa-sha2-nistp256 ")


def test_it_makes_the_machine_of_a_creation_that_left_nothing(create, recreate, cloud, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    create()
    run_worker()
    recreate(Server.objects.get())
    run_worker()
    assert Server.objects.get().status == "running"
    assert len(cloud.servers()) == 1


@pytest.mark.parametrize("by", ["ref", "mark"])
def test_it_makes_no_second_machine(by, gone, recreate, cloud, shown, run_worker):
    machine = cloud.create("web-01", labels=marked(gone.id if by == "mark" else "srv-other"))
    if by == "ref":
        Server.objects.update(ref=machine["uuid"])
    operation = recreate(gone).json()
    run_worker()
    assert shown(operation)["status"] == "failed"
    assert "machine of web-01 is still there" in shown(operation)["error"]
    assert len(cloud.servers()) == 1
    assert seen(gone) == ("failed", "gone")


def test_it_makes_one_machine_when_the_answer_is_lost(gone, recreate, cloud, shown, run_worker):
    cloud.lose_next_answer()
    operation = recreate(gone).json()
    run_worker()
    assert shown(operation)["status"] == "completed"
    assert len(cloud.servers()) == len(cloud.disks()) == 1


def test_it_makes_nothing_while_the_cloud_cannot_be_asked(gone, recreate, cloud, run_worker):
    cloud.break_gateway_next(method="GET", path=r"/server", times=None)
    recreate(gone)
    run_worker()
    assert cloud.servers() == []
    assert seen(gone) == ("failed", "gone")


def test_it_can_be_tried_again_after_a_refusal(gone, recreate, cloud, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    recreate(gone)
    run_worker()
    assert seen(gone) == ("failed", "")
    recreate(gone)
    run_worker()
    assert seen(gone) == ("running", "")


def test_it_names_what_is_no_longer_installed(gone, recreate, shown, workspace, run_worker):
    taskserv = Taskserv.objects.create(workspace=workspace, name="redis", version="7", status="running")
    Installation.objects.create(taskserv=taskserv, server=gone)
    operation = recreate(gone).json()
    run_worker()
    assert shown(operation)["result"]["not_installed"] == [f"redis ({taskserv.id})"]
    assert "to be installed again: redis" in lines(Operation.objects.get(pk=operation["id"]))
    assert not Taskserv.objects.exists()


def test_it_changes_nothing_when_it_is_cancelled_before_it_began(gone, recreate, api, alice):
    ref = gone.ref
    operation = recreate(gone).json()
    assert api(alice).post(f"/v1/operations/{operation['id']}/cancel").json()["status"] == "cancelled"
    assert (*seen(gone), gone.ref) == ("failed", "gone", ref)


def test_it_takes_the_new_machine_away_when_it_is_cancelled(gone, recreate, api, alice, cloud, step, run_worker):
    cloud.set(boot_seconds=2)
    operation = recreate(gone).json()
    step()
    step()
    assert len(cloud.servers()) == 1
    api(alice).post(f"/v1/operations/{operation['id']}/cancel")
    assert seen(gone)[0] == "deleting"
    run_worker()
    assert cloud.servers() == cloud.disks() == []
    assert (*seen(gone), gone.ref) == ("failed", "gone", "")


def test_it_deletes_no_old_machine_that_is_there_after_all_when_it_is_cancelled(up, recreate, api, alice, cloud, step):
    server = up()
    Server.objects.update(status="failed", drift="gone")
    operation = recreate(server).json()
    cloud.break_gateway_next(method="GET", path=r"/server", times=1)
    step()
    api(alice).post(f"/v1/operations/{operation['id']}/cancel")
    step()
    assert len(cloud.servers()) == 1
    assert seen(server) == ("failed", "gone")


def test_it_refuses_a_server_that_has_its_machine_or_is_held(up, recreate, cloud, run_worker):
    server = up()
    assert "only a server whose machine is gone" in refused(recreate(server), 409)["message"]
    cloud.vanish(server.ref)
    compare(run_worker)
    services.delete_server(server_id=server.pk, actor=None)
    assert "is held by operation" in refused(recreate(server), 409)["message"]
    assert not Operation.objects.filter(kind="server.recreate").exists()
