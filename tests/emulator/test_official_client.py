"""The emulated API driven by the official Python client, which was not written by the people who wrote this."""

import pytest
from upcloud_api import CloudManager, Server, Storage, UpCloudAPIError, login_user_block
from upcloud_api.label import Label
from upcloud_api.storage import BackupDeletionPolicy

from tests.providers.cloud import DEBIAN

NOBODY = "00aa1111-2222-4333-8444-555566667777"


def manager_for(cloud, *args, **kwargs):
    manager = CloudManager(*args, **kwargs)
    manager.api.api_root = cloud.url
    return manager


@pytest.fixture
def manager(cloud):
    return manager_for(cloud, token=cloud.token)


@pytest.fixture
def server(manager):
    return manager.create_server(wanted("web-1.example.test"))


def wanted(hostname, plan="2xCPU-4GB", zone="de-fra1"):
    return Server(
        hostname=hostname,
        plan=plan,
        zone=zone,
        labels=[Label("prov-machine", "m-1"), Label("prov-install", "one")],
        login_user=login_user_block("root", ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 test"]),
        user_data="#cloud-config\n",
        storage_devices=[Storage(os=DEBIAN, size=80)],
    )


def test_it_reads_the_account_and_the_catalog(cloud, manager):
    assert manager.authenticate()["account"]["username"] == "emulator"
    assert manager_for(cloud, *cloud.credentials).get_account()["account"]["credits"] > 0
    assert "de-fra1" in [zone["id"] for zone in manager.get_zones()["zones"]["zone"]]
    assert "2xCPU-4GB" in [plan["name"] for plan in manager.get_server_plans()["plans"]["plan"]]
    assert "server_plan_2xCPU-4GB" in manager.get_prices()["prices"]["zone"][0]
    assert DEBIAN in str(manager.get_templates())


def test_it_goes_through_a_whole_life(cloud, manager, server):
    assert server.state == "maintenance"
    assert server.get_public_ip() == "127.77.0.2"
    assert server.get_utility_ip().startswith("10.")
    (disk,) = server.storage_devices
    read = manager.get_server(server.uuid)
    assert (read.state, read.hostname, read.core_number) == ("started", "web-1.example.test", "2")
    assert [storage.uuid for storage in read.storage_devices] == [disk.uuid]
    read.shutdown(hard=True)
    assert read.populate().state == "stopped"
    read.start()
    assert read.populate().state == "started"
    read.restart()
    read.stop()
    manager.delete_server(server.uuid, delete_storages=True, backups=BackupDeletionPolicy.DELETE)
    assert manager.get_servers() == []
    with pytest.raises(UpCloudAPIError) as gone:
        manager.get_storage(disk.uuid)
    assert gone.value.error_code == "STORAGE_NOT_FOUND"


def test_it_lists_by_label(manager, server):
    manager.create_server(wanted("web-2.example.test"))
    filters = {"label": ["prov-machine=m-1", "prov-install"]}
    assert len(manager.api.get_request("/server", params=filters)["servers"]["server"]) == 2
    assert manager.api.get_request("/server", params={"label": "prov-machine=m-2"})["servers"]["server"] == []
    assert {one.hostname for one in manager.get_servers(populate=True)} == {"web-1.example.test", "web-2.example.test"}


def test_it_changes_a_title(manager, server):
    manager.modify_server(server.uuid, title="renamed")
    assert manager.get_server(server.uuid).title == "renamed"


def test_it_finds_and_deletes_a_disk_left_behind(manager, server):
    server.shutdown(hard=True)
    manager.delete_server(server.uuid)
    (left,) = (storage for storage in manager.get_storages("normal"))
    assert manager.get_storage(left.uuid).title == "web-1.example.test OS disk"
    manager.delete_storage(left.uuid)
    assert manager.get_storages("normal") == []


def code_of(call):
    with pytest.raises(UpCloudAPIError) as refused:
        call()
    return refused.value.error_code


def test_it_is_refused_as_by_the_real_thing(cloud, manager, server):
    assert code_of(lambda: manager.get_server("nonsense")) == "SERVER_INVALID"
    assert code_of(lambda: manager.get_server(NOBODY)) == "SERVER_NOT_FOUND"
    assert code_of(lambda: manager.delete_server(server.uuid)) == "SERVER_STATE_ILLEGAL"
    assert code_of(manager_for(cloud, "emulator", "wrong").get_account) == "AUTHENTICATION_FAILED"
    assert code_of(lambda: manager.create_server(wanted("web-2", zone="xx-nowhere"))) == "ZONE_NOT_FOUND"
    assert code_of(lambda: manager.create_server(wanted("web-2", plan="DEV-1xCPU-1GB-10GB"))) == "STORAGE_TIER_ILLEGAL"
    cloud.set(initial_credits=0)
    assert code_of(lambda: manager.create_server(wanted("web-2"))) == "INSUFFICIENT_CREDITS"
