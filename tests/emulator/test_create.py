"""What the emulated API refuses to create, and with which code."""

import pytest

from tests.providers.cloud import DEBIAN, label_list, server_body

WINDOWS = "01000000-0000-4000-8000-000010080300"
GOLDEN = "0134aaaa-bbbb-4ccc-8ddd-eeeeffff0001"
TOO_LONG = "x" * 256


def disk(**changes):
    device = {"action": "clone", "storage": DEBIAN, "title": "root", "size": 25} | changes
    return {"storage_device": [{name: value for name, value in device.items() if value is not None}]}


def labels(*pairs):
    return {"label": [{"key": key, "value": value} for key, value in pairs]}


def refusal(cloud, body):
    answer = cloud.request("POST", "/server", json=body)
    assert cloud.servers() == cloud.disks() == []
    return answer.status_code, answer.json()["error"]["error_code"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"zone": None}, 400, "ZONE_MISSING"),
        ({"zone": 1}, 400, "ZONE_INVALID"),
        ({"zone": "xx-nowhere"}, 404, "ZONE_NOT_FOUND"),
        ({"title": None}, 400, "SERVER_TITLE_MISSING"),
        ({"title": TOO_LONG}, 400, "SERVER_TITLE_INVALID"),
        ({"hostname": None}, 400, "HOSTNAME_MISSING"),
        ({"hostname": "-web"}, 400, "HOSTNAME_INVALID"),
        ({"hostname": "a." * 64 + "b"}, 400, "HOSTNAME_INVALID"),
        ({"plan": "7xCPU-1GB"}, 400, "PLAN_INVALID"),
        ({"plan": "2xCPU-2GB"}, 400, "PLAN_INVALID"),
        ({"plan": None}, 400, "CORE_NUMBER_INVALID"),
        ({"plan": "custom", "core_number": "2"}, 400, "MEMORY_AMOUNT_INVALID"),
        ({"metadata": True}, 400, "METADATA_INVALID"),
        ({"metadata": "no"}, 409, "METADATA_DISABLED_ON_CLOUD-INIT"),
        ({"metadata": None}, 409, "METADATA_DISABLED_ON_CLOUD-INIT"),
        ({"firewall": "yes"}, 400, "FIREWALL_INVALID"),
        ({"password_delivery": "post"}, 400, "PASSWORD_DELIVERY_INVALID"),
        ({"simple_backup": "sometimes"}, 400, "SIMPLE_BACKUP_INVALID"),
        ({"timezone": "Europe/Nowhere"}, 400, "TIMEZONE_INVALID"),
        ({"user_data": ["#!/bin/sh"]}, 400, "USER_DATA_INVALID"),
        ({"login_user": {"username": "No Name"}}, 400, "INVALID_USERNAME"),
        ({"login_user": {"create_password": "yes"}}, 400, "CREATE_PASSWORD_INVALID"),
        ({"login_user": {"ssh_keys": {"ssh_key": ["no key"]}}}, 400, "SSH_KEYS_INVALID"),
        ({"login_user": {"ssh_key": []}}, 400, "UNKNOWN_ATTRIBUTE"),
        ({"hostnme": "web-1"}, 400, "UNKNOWN_ATTRIBUTE"),
        ({"labels": labels(("_mine", "1"))}, 400, "INVALID_LABEL_KEY"),
        ({"labels": labels(("x", "1"))}, 400, "INVALID_LABEL_KEY"),
        ({"labels": labels(("x" * 33, "1"))}, 400, "INVALID_LABEL_KEY"),
        ({"labels": labels(("käse", "1"))}, 400, "INVALID_LABEL_KEY"),
        ({"labels": labels(("key", TOO_LONG))}, 400, "INVALID_LABEL_VALUE"),
        ({"labels": labels(("key", 1))}, 400, "INVALID_LABEL_VALUE"),
        ({"labels": labels(("key", "1"), ("KEY", "2"))}, 400, "DUPLICATE_LABEL_KEYS"),
        ({"labels": [{"key": "key", "value": "1"}]}, 400, "REQUEST_INVALID"),
        ({"networking": {"interface": []}}, 400, "UNKNOWN_ATTRIBUTE"),
        ({"networking": {"interfaces": {"interface": [{"type": "own"}]}}}, 400, "INTERFACE_TYPE_INVALID"),
        ({"networking": {"interfaces": {"interface": [{"type": "private"}]}}}, 400, "NETWORK_INVALID"),
        ({"storage_devices": None}, 400, "STORAGE_DEVICES_MISSING"),
        ({"storage_devices": {"storage_device": []}}, 400, "STORAGE_DEVICES_MISSING"),
        ({"storage_devices": {"storage_device": {}}}, 400, "STORAGE_DEVICES_INVALID"),
        ({"storage_devices": {"storage_device": disk()["storage_device"] * 17}}, 409, "STORAGE_DEVICE_LIMIT_REACHED"),
        ({"storage_devices": {"storage_device": disk()["storage_device"] * 2}}, 409, "MULTIPLE_TEMPLATES"),
        ({"storage_devices": disk(action=None)}, 400, "ACTION_MISSING"),
        ({"storage_devices": disk(action="copy")}, 400, "ACTION_INVALID"),
        ({"storage_devices": disk(title=None)}, 400, "STORAGE_TITLE_MISSING"),
        ({"storage_devices": disk(storage=None)}, 400, "STORAGE_MISSING"),
        ({"storage_devices": disk(storage="debian")}, 400, "STORAGE_INVALID"),
        ({"storage_devices": disk(storage=DEBIAN[:-1] + "9")}, 404, "STORAGE_NOT_FOUND"),
        ({"storage_devices": disk(size=9)}, 400, "SIZE_INVALID"),
        ({"storage_devices": disk(storage=WINDOWS, size=29)}, 400, "SIZE_INVALID"),
        ({"storage_devices": disk(tier="fast")}, 400, "TIER_INVALID"),
        ({"storage_devices": disk(tier=None) | {"extra": 1}}, 400, "UNKNOWN_ATTRIBUTE"),
        ({"storage_devices": disk(sise=25)}, 400, "UNKNOWN_ATTRIBUTE"),
        ({"storage_devices": disk(storage=GOLDEN), "zone": "fi-hel1"}, 409, "ZONE_MISMATCH"),
        ({"storage_devices": disk(tier="maxiops"), "plan": "DEV-1xCPU-1GB-10GB"}, 409, "STORAGE_TIER_ILLEGAL"),
    ],
)
def test_it_refuses(cloud, changes, status, code):
    assert refusal(cloud, server_body(**changes)) == (status, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [([], "REQUEST_INVALID"), ({}, "REQUEST_INVALID"), ({"machine": {}}, "UNKNOWN_ATTRIBUTE")],
)
def test_it_refuses_a_wrong_wrapper(cloud, body, code):
    assert refusal(cloud, body) == (400, code)


def test_it_refuses_what_is_no_json(cloud):
    answer = cloud.request("POST", "/server", content=b"{")
    assert (answer.status_code, answer.json()["error"]["error_code"]) == (400, "REQUEST_INVALID")


def test_it_gives_a_disk_the_tier_and_size_it_can_have(cloud):
    cloud.create(plan="DEV-1xCPU-1GB-10GB", storage_devices=disk(size=None))
    cloud.create(plan="CLOUDNATIVE-2xCPU-4GB", storage_devices=disk(size="30"))
    assert [(one["tier"], one["size"]) for one in cloud.disks()] == [("standard", 10), ("maxiops", 30)]


def test_it_makes_windows_without_metadata_and_with_a_password_shown_once(cloud):
    made = cloud.create(
        metadata=None, login_user={"create_password": "yes"}, storage_devices=disk(storage=WINDOWS, size=30)
    )
    assert made["password"]
    assert "password" not in cloud.servers()[0]


def test_it_sizes_a_custom_server(cloud):
    made = cloud.create(plan=None, core_number=2, memory_amount="2048")
    assert (made["plan"], made["core_number"], made["memory_amount"]) == ("custom", "2", "2048")


def test_it_clones_a_private_template_in_its_own_zone(cloud):
    made = cloud.create(zone="de-fra1", metadata=None, storage_devices=disk(storage=GOLDEN))
    assert made["storage_devices"]["storage_device"][0]["labels"] == [
        {"key": "_os_type", "value": "ubuntu"},
        {"key": "_template_uuid", "value": "01000000-0000-4000-8000-000030240200"},
    ]


def test_it_keeps_labels_of_any_length_allowed(cloud):
    wanted = {"ab": "", "k" * 32: "v" * 255}
    made = cloud.create(labels=wanted)
    assert made["labels"]["label"][:2] == label_list(wanted)["label"]


def test_it_answers_402_without_credits_and_still_deletes(cloud):
    uuid = cloud.create()["uuid"]
    cloud.set(initial_credits=1)
    answer = cloud.request("POST", "/server", json=server_body())
    assert (answer.status_code, answer.json()["error"]["error_code"]) == (402, "INSUFFICIENT_CREDITS")
    cloud.request("POST", f"/server/{uuid}/stop")
    assert cloud.request("DELETE", f"/server/{uuid}?storages=1").status_code == 204


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"cores": 3}, "SERVER_CORE_LIMIT_REACHED"),
        ({"memory": 8000}, "SERVER_MEMORY_LIMIT_REACHED"),
        ({"public_ipv4": 1}, "SERVER_IP_LIMIT_REACHED"),
    ],
)
def test_it_answers_403_beyond_the_limits_of_the_account(cloud, limits, code):
    cloud.set(resource_limits=limits)
    cloud.create()
    answer = cloud.request("POST", "/server", json=server_body())
    assert (answer.status_code, answer.json()["error"]["error_code"]) == (403, code)
    assert cloud.request("GET", "/account").json()["account"]["resource_limits"].items() >= limits.items()
