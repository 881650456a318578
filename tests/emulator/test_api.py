"""The emulated API in raw requests: credentials, versions, the catalog and the exact shapes of answers."""

import re

import httpx
import pytest

from tests.providers.cloud import DEBIAN, label_list

ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
UUID = r"[0-9a-f]{6}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NOBODY = "00aa1111-2222-4333-8444-555566667777"


def get(cloud, path, **kwargs):
    answer = cloud.request("GET", path, **kwargs)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_refuses_no_credentials_in_the_legacy_shape_labeled_as_problem_json(cloud):
    answer = httpx.get(f"{cloud.url}/account")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert set(answer.json()["error"]) == {"error_code", "error_message"}
    assert answer.json()["error"]["error_code"] == "AUTHENTICATION_REQUIRED"


@pytest.mark.parametrize("header", ["Bearer ucat_wrong", "Basic d3Jvbmc6d3Jvbmc=", "nonsense"])
def test_it_refuses_wrong_credentials_as_json(cloud, header):
    answer = httpx.get(f"{cloud.url}/account", headers={"Authorization": header})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json; charset=UTF-8")
    assert answer.json()["error"]["error_code"] == "AUTHENTICATION_FAILED"


def test_it_checks_credentials_before_the_route_and_the_version(cloud):
    assert httpx.get(f"{cloud.url}/no/such/path").status_code == 401
    assert httpx.get(f"{cloud.root}/1.2/account").status_code == 401


def test_it_accepts_user_and_password_or_a_token(cloud):
    assert httpx.get(f"{cloud.url}/account", auth=cloud.credentials).status_code == 200
    assert httpx.get(f"{cloud.url}/account", headers={"Authorization": f"Bearer {cloud.token}"}).status_code == 200


@pytest.mark.parametrize(("version", "code"), [("1.2", "API_VERSION_OBSOLETE"), ("1.4", "API_VERSION_INVALID")])
def test_it_serves_version_1_3_only(cloud, version, code):
    answer = httpx.get(f"{cloud.root}/{version}/account", auth=cloud.credentials)
    assert (answer.status_code, answer.json()["error"]["error_code"]) == (400, code)


@pytest.mark.parametrize("path", ["/account", "/zone", "/plan", "/price", "/server", "/storage", "/storage/template"])
def test_it_accepts_a_trailing_slash(cloud, path):
    assert get(cloud, path + "/").keys() == get(cloud, path).keys()


def test_it_answers_unknown_paths_and_methods(cloud):
    assert cloud.request("GET", "/nonsense").status_code == 404
    assert cloud.request("PATCH", "/server").status_code == 405
    assert cloud.request("GET", "/storage/public/template").status_code == 404


@pytest.mark.parametrize("path", ["/account", "/server", f"/server/{NOBODY}", "/nonsense"])
def test_it_puts_a_correlation_id_and_a_length_on_every_answer(cloud, path):
    answer = cloud.request("GET", path)
    assert ULID.fullmatch(answer.headers["upcloud-cid"])
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["upcloud-cid"] != cloud.request("GET", path).headers["upcloud-cid"]


def test_it_shows_the_account(cloud):
    account = get(cloud, "/account")["account"]
    assert account["username"] == "emulator"
    assert account["credits"] > 0
    assert account["trial_mode"] == 0
    assert {"cores", "memory", "public_ipv4", "storage_maxiops"} <= set(account["resource_limits"])


def test_it_shows_the_zones(cloud):
    zones = {zone["id"]: zone for zone in get(cloud, "/zone")["zones"]["zone"]}
    assert {"fi-hel1", "de-fra1", "nl-ams1", "uk-lon1", "us-nyc1", "sg-sin1"} <= set(zones)
    assert zones["de-fra1"] == {"id": "de-fra1", "description": "Frankfurt #1", "public": "yes"}
    private = [zone for zone in zones.values() if zone["public"] == "no"]
    assert [zone["parent_zone"] for zone in private] == ["fi-hel1"]


def test_it_shows_plans_with_numbers(cloud):
    plans = {plan["name"]: plan for plan in get(cloud, "/plan")["plans"]["plan"]}
    assert {"1xCPU-1GB", "1xCPU-2GB", "2xCPU-4GB", "4xCPU-8GB", "6xCPU-16GB", "DEV-1xCPU-1GB-10GB"} <= set(plans)
    assert plans["2xCPU-4GB"] == {
        "name": "2xCPU-4GB",
        "family": "general_purpose",
        "current_offering": "yes",
        "core_number": 2,
        "memory_amount": 4096,
        "storage_size": 80,
        "storage_tier": "maxiops",
        "public_traffic_out": 4096,
    }
    assert plans["CLOUDNATIVE-2xCPU-4GB"]["storage_size"] == 0
    assert plans["CLOUDNATIVE-2xCPU-4GB"]["storage_tier"] is None
    assert plans["GPU-8xCPU-64GB-1xL40S"]["gpu_amount"] == 1
    assert [name for name, plan in plans.items() if plan["current_offering"] == "no"] == ["2xCPU-2GB"]


def test_it_shows_prices_in_cents_an_hour_and_none_where_a_plan_is_not_sold(cloud):
    prices = get(cloud, "/price")["prices"]
    zones = {zone["name"]: zone for zone in prices["zone"]}
    assert prices["currency"] == "EUR"
    assert zones["de-fra1"]["server_plan_1xCPU-2GB"] == {"amount": 1, "price": 2.2321}
    assert zones["de-fra1"]["server_memory"] == {"amount": 256, "price": 0.45}
    assert zones["sg-sin1"]["server_plan_1xCPU-2GB"]["price"] > 2.2321
    assert "server_plan_GPU-8xCPU-64GB-1xL40S" not in zones["us-nyc1"]
    assert "xx-prv1" not in zones


def test_it_shows_public_and_private_templates_differently(cloud):
    answer = cloud.request("GET", "/storage/template")
    templates = {one["uuid"]: one for one in answer.json()["storages"]["storage"]}
    assert answer.headers["upcloud-total-count"] == str(len(templates))
    assert templates[DEBIAN] == {
        "uuid": DEBIAN,
        "title": "Debian GNU/Linux 12 (Bookworm)",
        "type": "template",
        "template_type": "cloud-init",
        "access": "public",
        "state": "online",
        "size": 10,
        "license": 0,
        "encrypted": "no",
        "labels": [],
    }
    (private,) = (one for one in templates.values() if one["access"] == "private")
    assert "template_type" not in private
    assert (private["zone"], private["tier"], private["created"]) == ("de-fra1", "maxiops", "2026-06-08T16:38:47Z")
    assert {"key": "_os_type", "value": "ubuntu"} in private["labels"]
    assert any(one["license"] > 0 and isinstance(one["license"], float) for one in templates.values())
    assert any(one["title"].startswith("UpCloud K8s") for one in templates.values())


def test_it_shows_a_server_with_text_for_numbers(cloud):
    uuid = cloud.create("web-1.example.test", {"prov-machine": "m-1"})["uuid"]
    server = get(cloud, f"/server/{uuid}")["server"]
    assert re.fullmatch(f"00{UUID}", uuid)
    assert (server["core_number"], server["memory_amount"], server["plan"]) == ("2", "4096", "2xCPU-4GB")
    assert type(server["created"]) is int
    assert type(server["host"]) is int
    assert server["host"] > 2**31
    assert (server["license"], server["server_group"]) == (0, None)
    assert (server["plan_ipv4_bytes"], server["plan_ipv6_bytes"]) == ("0", "0")
    assert (server["firewall"], server["metadata"], server["simple_backup"]) == ("off", "yes", "no")
    assert (server["remote_access_enabled"], server["timezone"], server["boot_order"]) == ("no", "UTC", "disk")
    assert (server["tags"], server["devices"]) == ({"tag": []}, {"device": []})
    assert {"key": "prov-machine", "value": "m-1"} in server["labels"]["label"]


def test_it_shows_interfaces_and_a_flat_list_of_addresses(cloud):
    uuid = cloud.create()["uuid"]
    server = get(cloud, f"/server/{uuid}")["server"]
    public, utility = server["networking"]["interfaces"]["interface"]
    assert (public["index"], public["type"], public["bootable"], public["source_ip_filtering"]) == (
        *(1, "public", "no", "yes"),
    )
    (address,) = public["ip_addresses"]["ip_address"]
    assert address == {
        "address": "127.77.0.2",
        "family": "IPv4",
        "floating": "no",
        "dhcp_provided": "yes",
        "release_policy": "release",
    }
    assert utility["ip_addresses"]["ip_address"][0]["address"].startswith("10.")
    assert re.fullmatch(f"03{UUID}", public["network"])
    flat = server["ip_addresses"]["ip_address"]
    assert flat[0] == {"access": "public", "address": "127.77.0.2", "family": "IPv4"}
    assert [one["access"] for one in flat] == ["public", "utility"]


def test_it_shows_a_disk_with_bare_labels(cloud):
    uuid = cloud.create("web-1")["uuid"]
    (device,) = get(cloud, f"/server/{uuid}")["server"]["storage_devices"]["storage_device"]
    assert (device["address"], device["boot_disk"], device["type"]) == ("virtio:0", "0", "disk")
    assert (device["storage_size"], device["storage_title"], device["storage_tier"]) == (80, "web-1 root", "maxiops")
    assert {"key": "_template_uuid", "value": DEBIAN} in device["labels"]
    storage = get(cloud, f"/storage/{device['storage']}")["storage"]
    assert re.fullmatch(f"01{UUID}", storage["uuid"])
    assert (storage["size"], storage["type"], storage["access"], storage["zone"]) == (
        80,
        "normal",
        "private",
        "de-fra1",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", storage["created"])
    assert storage["labels"] == device["labels"]
    assert storage["servers"] == {"server": [uuid]}


def test_it_labels_every_server_as_emulated(cloud):
    made = cloud.create()
    assert {"key": "_emulated", "value": "yes"} in made["labels"]["label"]
    (listed,) = get(cloud, "/server")["servers"]["server"]
    assert {"key": "_emulated", "value": "yes"} in listed["labels"]["label"]


def test_it_distinguishes_malformed_uuids_from_absent_things(cloud):
    def refused(path, method="GET"):
        answer = cloud.request(method, path)
        return answer.status_code, answer.json()["error"]["error_code"]

    assert refused("/server/nonsense") == (400, "SERVER_INVALID")
    assert refused(f"/server/{NOBODY}") == (404, "SERVER_NOT_FOUND")
    assert refused(f"/server/{NOBODY}", "DELETE") == (404, "SERVER_NOT_FOUND")
    assert refused("/storage/nonsense") == (400, "STORAGE_INVALID")
    assert refused(f"/storage/{NOBODY}") == (404, "STORAGE_NOT_FOUND")


def test_it_lists_fewer_attributes_but_the_labels(cloud):
    cloud.create("web-1", {"prov-machine": "m-1"})
    (item,) = get(cloud, "/server")["servers"]["server"]
    assert set(item) == {
        *("uuid", "title", "hostname", "zone", "plan", "core_number", "memory_amount", "state", "created", "host"),
        *("license", "simple_backup", "server_group", "plan_ipv4_bytes", "plan_ipv6_bytes", "labels", "tags"),
    }


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["prov-install=one"], ["a", "b"]),
        (["prov-install=one", "prov-machine=m-1"], ["a"]),
        (["PROV-machine"], ["a", "b"]),
        (["prov-machine=M-1"], []),
        (["prov-install=one", "prov-install=two"], []),
        (["_emulated=yes"], ["a", "b", "c"]),
        ([], ["a", "b", "c"]),
        (["nonsense"], []),
    ],
)
def test_it_filters_servers_by_all_labels_asked_for(cloud, filters, found):
    cloud.create("a", {"prov-install": "one", "prov-machine": "m-1"})
    cloud.create("b", {"Prov-Install": "one", "prov-machine": "m-2"})
    cloud.create("c", {"prov-install": "two"})
    answer = cloud.request("GET", "/server", params={"label": filters})
    assert [one["hostname"] for one in answer.json()["servers"]["server"]] == found
    assert answer.headers["upcloud-total-count"] == str(len(found))


def test_it_pages_and_shows_how_many_there_are(cloud):
    for name in "abc":
        cloud.create(name)
    pages = [cloud.request("GET", "/server", params={"limit": 2, "offset": offset}) for offset in (0, 2, 4)]
    hostnames = [[one["hostname"] for one in page.json()["servers"]["server"]] for page in pages]
    assert hostnames == [["a", "b"], ["c"], []]
    assert {page.headers["upcloud-total-count"] for page in pages} == {"3"}
    assert cloud.request("GET", "/server", params={"limit": "many"}).status_code == 400


def test_it_gives_no_more_than_a_hundred_a_page(cloud):
    for number in range(101):
        cloud.create(f"h{number}")
    page = get(cloud, "/server", params={"limit": 500})["servers"]["server"]
    assert len(page) == 100
    assert all(server["host"] > 2**31 for server in page)
    assert len(get(cloud, "/server")["servers"]["server"]) == 101


def test_it_lists_disks_by_label_and_by_one_kind(cloud):
    cloud.create()
    templates = len(get(cloud, "/storage/template")["storages"]["storage"])
    assert len(get(cloud, "/storage")["storages"]["storage"]) == templates + 1
    private = get(cloud, "/storage/private")["storages"]["storage"]
    assert {one["type"] for one in private} == {"normal", "template"}
    found = get(cloud, "/storage", params={"label": f"_template_uuid={DEBIAN}"})["storages"]["storage"]
    assert [one["type"] for one in found] == ["normal"]
    others = get(cloud, "/storage", params={"type": "normal", "label": "!_os_type=debian"})["storages"]["storage"]
    assert others == []


def test_it_replaces_labels_as_a_whole_and_keeps_its_own(cloud):
    uuid = cloud.create(labels={"a1": "1", "b1": "2"})["uuid"]
    answer = cloud.request("PUT", f"/server/{uuid}", json={"server": {"labels": label_list({"c1": "3"})}})
    assert answer.status_code == 202
    expected = {"label": [{"key": "c1", "value": "3"}, {"key": "_emulated", "value": "yes"}]}
    assert answer.json()["server"]["labels"] == expected == get(cloud, f"/server/{uuid}")["server"]["labels"]
    assert cloud.request("GET", "/server", params={"label": "a1"}).json()["servers"]["server"] == []
    assert len(cloud.request("GET", "/server", params={"label": "c1=3"}).json()["servers"]["server"]) == 1


def test_it_changes_the_plan_of_a_stopped_server_only(cloud):
    uuid = cloud.create()["uuid"]
    change = {"server": {"plan": "4xCPU-8GB"}}
    assert cloud.request("PUT", f"/server/{uuid}", json=change).json()["error"]["error_code"] == "SERVER_STATE_ILLEGAL"
    cloud.request("POST", f"/server/{uuid}/stop")
    assert cloud.request("PUT", f"/server/{uuid}", json=change).json()["server"]["core_number"] == "4"
