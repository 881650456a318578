"""Emulated machines that are real: where there is an engine, a container stands behind each."""

import pytest
from django.test import override_settings

from apps.emulator import containers as backing
from apps.operations.models import Operation
from apps.providers.services import refresh_catalog, register_account
from apps.servers.models import Server
from apps.taskservs.ansible.servers import targets_of
from apps.taskservs.ansible.ssh import presented
from tests.providers.cloud import Cloud, server_body
from tests.providers.clouds.local import clear, containers, usable_engine
from tests.providers.emulator_fixtures import serving
from tests.providers.test_every_driver.patience import until
from tests.ssh import Client


@pytest.fixture
def engine(tmp_path):
    """The engine of this machine, on which nothing of the emulator is left afterwards."""
    found = usable_engine()
    with override_settings(
        EMULATOR_MACHINES="containers", EMULATOR_STATE=tmp_path / "state.sqlite3", EMULATOR_BOOT_SECONDS=0
    ):
        yield found
        clear(found, backing.installation())
    found.close()


@pytest.fixture
def cloud(engine):
    with serving() as root:
        cloud = Cloud(root)
        yield cloud
        cloud.close()


@pytest.fixture
def backed(engine):
    """The containers of the emulator: server → state."""

    def look():
        found = containers(engine, backing.installation()).values()
        return {item["Labels"]["prov-machine"]: item["State"] for item in found}

    return look


@pytest.mark.slow
def test_the_documented_example_gives_a_machine_to_log_in_to(
    cloud, workspace, run_worker, api, alice, backed, tmp_path
):
    credentials = {"username": "emulator", "password": "emulator"}
    account = register_account(provider="upcloud", name="default", endpoint=cloud.url, credentials=credentials)
    refresh_catalog(account=account)
    run_worker()
    body = {"workspace": "production", "provider": "upcloud", "plan": "2xCPU-4GB", "hostname": "web-01"}
    answer = api(alice).post("/v1/servers/create", {**body, "zone": "de-fra1", "check_mode": False, "tags": ["web"]})
    run_worker()
    operation, server = Operation.objects.get(pk=answer.json()["id"]), Server.objects.get()
    assert operation.result == {"server_id": server.id, "ip_address": server.ip_address}
    assert server.emulated and server.backed and list(backed()) == [server.ref]
    log = " ".join(operation.events.values_list("message", flat=True))
    assert "it is emulated: a container on its host stands behind it" in log
    ssh = Client.of(workspace, tmp_path)
    until(lambda: ssh.tried(server, "true").returncode == 0)
    assert ssh.run(server, "hostname") == "web-01"
    [target] = targets_of([server.id])
    assert presented(target)["ecdsa-sha2-nistp256"] == server.ssh_host_key, "the one that went with its order"
    assert ssh.tried(server, "test -e /var/lib/cloud/seed").returncode, "cloud-init has nothing more to do"
    api(alice).delete(f"/v1/servers/{server.id}")
    run_worker()
    assert backed() == {} and not Server.objects.exists()


def test_the_container_follows_its_server(cloud, backed):
    made = cloud.create("web-1")
    uuid = made["uuid"]
    assert backed() == {uuid: "running"}
    cloud.set(stop_seconds=0, start_blocks_seconds=0)
    cloud.request("POST", f"/server/{uuid}/stop", json={"stop_server": {"stop_type": "hard"}}).raise_for_status()
    assert backed() == {uuid: "exited"}
    cloud.request("POST", f"/server/{uuid}/start", json={"server": {}}).raise_for_status()
    assert backed() == {uuid: "running"}
    cloud.request("POST", f"/server/{uuid}/restart", json={"restart_server": {}}).raise_for_status()
    assert backed() == {uuid: "running"}
    assert cloud.servers()[0]["networking"] == made["networking"], "it keeps its address"


def test_nothing_is_left_of_servers_that_vanish_and_of_a_reset(cloud, backed):
    first = cloud.create("web-1")["uuid"]
    cloud.create("web-2")
    cloud.vanish(first)
    assert len(backed()) == 1 and first not in backed()
    cloud.reset()
    assert backed() == {}


def test_a_refused_order_leaves_no_container(cloud, backed):
    answer = cloud.request("POST", "/server", json={"server": {"zone": "de-fra1"}})
    assert answer.status_code == 400
    assert backed() == {}


def test_containers_of_a_state_that_was_deleted_are_tidied_away(cloud, backed, settings):
    cloud.create("web-1")
    settings.EMULATOR_STATE.unlink()
    backing.tidy()
    assert backing.missing() == ""
    assert backed() == {}


def test_labels_of_the_system_stay_when_users_change_theirs(cloud, backed):
    uuid = cloud.create("web-1")["uuid"]
    labels = {"label": [{"key": "mine", "value": "1"}]}
    cloud.request("PUT", f"/server/{uuid}", json={"server": {"labels": labels}}).raise_for_status()
    keys = {label["key"] for label in cloud.servers()[0]["labels"]["label"]}
    assert keys == {"mine", "_emulated", "_backed", "_ssh_port"}


def test_servers_go_on_when_the_engine_goes_away(cloud, backed, monkeypatch, caplog):
    uuid = cloud.create("web-1")["uuid"]
    cloud.set(stop_seconds=0)
    with monkeypatch.context() as away:
        away.setenv("DOCKER_HOST", "unix:///nobody/listens.sock")
        cloud.request("POST", f"/server/{uuid}/stop", json={"stop_server": {"stop_type": "hard"}}).raise_for_status()
        assert "did not follow: No container engine answers on this machine" in caplog.text
        cloud.request("DELETE", f"/server/{uuid}?storages=1").raise_for_status()
    assert backed() == {uuid: "running"}
    backing.tidy()
    assert backing.missing() == ""
    assert backed() == {}


# ── without an engine ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")


def test_machines_are_emulated_where_there_is_no_engine(no_engine, tmp_path):
    with override_settings(EMULATOR_MACHINES="auto", EMULATOR_STATE=tmp_path / "state.sqlite3"), serving() as root:
        cloud = Cloud(root)
        made = cloud.create("web-1")
        assert {label["key"] for label in made["labels"]["label"]} == {"_emulated"}
        cloud.vanish(made["uuid"])
        assert backing.missing() == "ENGINE_NOT_FOUND"
        cloud.close()


def test_orders_are_refused_where_containers_are_demanded_and_there_is_no_engine(no_engine, tmp_path, settings):
    settings.EMULATOR_MACHINES, settings.EMULATOR_STATE = "containers", tmp_path / "state.sqlite3"
    with serving() as root:
        cloud = Cloud(root)
        assert cloud.request("POST", "/server", json=server_body("web-1")).status_code == 503
        assert cloud.servers() == []
        cloud.close()
