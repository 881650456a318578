"""How the emulated servers live: booting, stopping, going away, and what that costs."""

import time
from contextlib import contextmanager

import pytest

from tests.providers.cloud import DEBIAN, server_body


def show(cloud, uuid):
    return cloud.request("GET", f"/server/{uuid}").json()["server"]


def post(cloud, uuid, verb, body=None):
    return cloud.request("POST", f"/server/{uuid}/{verb}", json=body)


def refused(answer):
    return answer.status_code, answer.json()["error"]["error_code"]


def credits_left(cloud):
    return cloud.request("GET", "/account").json()["account"]["credits"]


def wait_for(cloud, uuid, state):
    deadline = time.monotonic() + 30
    while show(cloud, uuid)["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def taking(at_least, at_most):
    began = time.monotonic()
    yield
    assert at_least <= time.monotonic() - began <= at_most


@pytest.fixture
def stopped(cloud):
    uuid = cloud.create()["uuid"]
    post(cloud, uuid, "stop", {"stop_server": {"stop_type": "hard"}})
    return uuid


def test_it_answers_a_create_with_everything_final(cloud):
    cloud.set(boot_seconds=60)
    answer = cloud.request("POST", "/server", json=server_body())
    made = answer.json()["server"]
    assert answer.status_code == 202
    assert (made["state"], made["progress"]) == ("maintenance", "0")
    assert "host" not in made
    shown = show(cloud, made["uuid"])
    for name in ("ip_addresses", "networking", "storage_devices", "created", "labels"):
        assert shown[name] == made[name]


def test_it_boots_through_maintenance_whose_progress_ends_early(cloud):
    cloud.set(boot_seconds=1.5)
    uuid = cloud.create()["uuid"]
    seen = []
    deadline = time.monotonic() + 30
    while not seen or seen[-1][0] != "started":
        server = show(cloud, uuid)
        seen.append((server["state"], server.get("progress"), "host" in server))
        assert time.monotonic() < deadline
        time.sleep(0.01)
    steps = [(state, progress is not None, host) for state, progress, host in seen]
    assert list(dict.fromkeys(steps)) == [
        ("maintenance", True, False),
        ("maintenance", False, False),
        ("started", False, True),
    ]
    progress = [int(given) for _, given, _ in seen if given is not None]
    assert progress == sorted(progress)
    assert 0 <= progress[0] < progress[-1] <= 95


def test_it_makes_the_disk_before_the_server_has_started(cloud):
    cloud.set(boot_seconds=60)
    cloud.create()
    (disk,) = cloud.disks()
    assert disk["state"] == "maintenance"
    assert disk["origin"] == DEBIAN


def test_it_shows_a_stopping_server_as_started_until_it_has_stopped(cloud):
    uuid = cloud.create()["uuid"]
    cloud.set(stop_seconds=1.5)
    answer = post(cloud, uuid, "stop", {"stop_server": {"stop_type": "hard"}})
    assert (answer.status_code, answer.json()["server"]["state"]) == (200, "started")
    assert show(cloud, uuid)["state"] == "started"
    wait_for(cloud, uuid, "stopped")
    assert "host" not in show(cloud, uuid)


def test_it_stops_no_later_when_asked_again(cloud):
    uuid = cloud.create()["uuid"]
    cloud.set(stop_seconds=1.5)
    with taking(1.4, 20):
        post(cloud, uuid, "stop")
        cloud.set(stop_seconds=60)
        assert post(cloud, uuid, "stop").status_code == 200
        wait_for(cloud, uuid, "stopped")


def test_it_may_ignore_a_soft_stop_until_its_timeout(cloud):
    uuid = cloud.create()["uuid"]
    cloud.set(soft_stop_ignored=True)
    with taking(0.9, 20):
        post(cloud, uuid, "stop", {"stop_server": {"stop_type": "soft", "timeout": "1"}})
        wait_for(cloud, uuid, "stopped")


def test_it_never_stops_softly_without_a_timeout_but_always_hard(cloud):
    uuid = cloud.create()["uuid"]
    cloud.set(soft_stop_ignored=True)
    post(cloud, uuid, "stop", {"stop_server": {"stop_type": "soft"}})
    assert show(cloud, uuid)["state"] == "started"
    post(cloud, uuid, "stop", {"stop_server": {"stop_type": "hard"}})
    assert show(cloud, uuid)["state"] == "stopped"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"stop": {"stop_type": "hard"}}, "UNKNOWN_ATTRIBUTE"),
        ({"stop_server": {"type": "hard"}}, "UNKNOWN_ATTRIBUTE"),
        ({"stop_server": {"stop_type": "gentle"}}, "STOP_TYPE_INVALID"),
        ({"stop_server": {"timeout": 60}}, "TIMEOUT_INVALID"),
        ({"stop_server": {"timeout": "601"}}, "TIMEOUT_INVALID"),
        ({"stop_server": {"timeout": "60", "timeout_action": "hope"}}, "TIMEOUT_ACTION_INVALID"),
    ],
)
def test_it_refuses_to_stop_in_an_unknown_way(cloud, body, code):
    uuid = cloud.create()["uuid"]
    assert refused(post(cloud, uuid, "stop", body)) == (400, code)
    assert show(cloud, uuid)["state"] == "started"


def test_it_answers_a_start_when_the_server_has_started(cloud, stopped):
    cloud.set(start_blocks_seconds=0.3)
    with taking(0.3, 20):
        answer = post(cloud, stopped, "start")
    assert (answer.status_code, answer.json()["server"]["state"]) == (200, "started")
    assert "progress" not in answer.json()["server"]


def test_it_answers_an_asynchronous_start_at_once(cloud, stopped):
    cloud.set(start_blocks_seconds=60)
    with taking(0, 20):
        answer = post(cloud, stopped, "start", {"server": {"start_type": "async"}})
    assert answer.json()["server"]["state"] == "maintenance"


def test_it_restarts_through_maintenance(cloud):
    uuid = cloud.create()["uuid"]
    cloud.set(boot_seconds=1.5)
    answer = post(cloud, uuid, "restart", {"restart_server": {"stop_type": "hard"}})
    assert (answer.status_code, answer.json()["server"]["state"]) == (200, "started")
    wait_for(cloud, uuid, "maintenance")
    wait_for(cloud, uuid, "started")


def test_it_answers_409_in_the_wrong_state(cloud):
    cloud.set(boot_seconds=60)
    booting = cloud.create()["uuid"]
    cloud.set(boot_seconds=0)
    running = cloud.create()["uuid"]
    for verb in ("stop", "start", "restart"):
        assert refused(post(cloud, booting, verb)) == (409, "SERVER_STATE_ILLEGAL")
    assert refused(post(cloud, running, "start")) == (409, "SERVER_STATE_ILLEGAL")
    assert refused(cloud.request("DELETE", f"/server/{running}")) == (409, "SERVER_STATE_ILLEGAL")
    post(cloud, running, "stop")
    assert refused(post(cloud, running, "stop")) == (409, "SERVER_STATE_ILLEGAL")


def test_it_deletes_a_stopped_server_with_its_disks(cloud, stopped):
    answer = cloud.request("DELETE", f"/server/{stopped}", params={"storages": "1", "backups": "delete"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert refused(cloud.request("GET", f"/server/{stopped}")) == (404, "SERVER_NOT_FOUND")
    assert cloud.disks() == []


def test_it_keeps_the_disks_by_default(cloud, stopped):
    assert cloud.request("DELETE", f"/server/{stopped}").status_code == 204
    storages = cloud.request("GET", "/storage/private").json()["storages"]["storage"]
    (left,) = (one for one in storages if one["type"] == "normal")
    assert left["state"] == "online"
    assert cloud.request("GET", f"/storage/{left['uuid']}").json()["storage"]["servers"] == {"server": []}
    assert cloud.request("DELETE", f"/storage/{left['uuid']}", params={"backups": "delete"}).status_code == 204
    assert refused(cloud.request("GET", f"/storage/{left['uuid']}")) == (404, "STORAGE_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "code"),
    [({"storages": "all"}, "STORAGE_DELETION_POLICY_INVALID"), ({"backups": "no"}, "BACKUP_DELETION_POLICY_INVALID")],
)
def test_it_refuses_to_delete_by_an_unknown_policy(cloud, stopped, query, code):
    assert refused(cloud.request("DELETE", f"/server/{stopped}", params=query)) == (400, code)


def test_it_keeps_disks_that_are_attached_unfinished_or_public(cloud):
    cloud.set(boot_seconds=60)
    uuid = cloud.create()["uuid"]
    (disk,) = cloud.disks()
    assert refused(cloud.request("DELETE", f"/storage/{disk['uuid']}")) == (409, "STORAGE_ATTACHED")
    assert refused(cloud.request("DELETE", f"/storage/{DEBIAN}")) == (403, "STORAGE_FORBIDDEN")
    assert show(cloud, uuid)["storage_devices"]["storage_device"][0]["storage"] == disk["uuid"]


def test_it_charges_every_started_hour(cloud):
    before = credits_left(cloud)
    cloud.create(plan="1xCPU-1GB", storage_devices=device(25))
    assert before - credits_left(cloud) == pytest.approx(1.0417, abs=0.001)
    cloud.set(billing_speed=3600 * 1000)
    time.sleep(0.01)
    spent = before - credits_left(cloud)
    assert spent >= 10 * 1.0417
    time.sleep(0.01)
    assert before - credits_left(cloud) > spent


def device(size):
    return {"storage_device": [{"action": "clone", "storage": DEBIAN, "title": "root", "size": size}]}


def test_it_charges_for_disk_beyond_the_plan(cloud):
    before = credits_left(cloud)
    cloud.create(plan="1xCPU-1GB", storage_devices=device(125))
    assert before - credits_left(cloud) == pytest.approx(1.0417 + 100 * 0.028, abs=0.001)


def test_it_goes_on_charging_for_a_disk_left_behind_and_not_for_a_deleted_one(cloud, stopped):
    cloud.request("DELETE", f"/server/{stopped}")
    cloud.set(billing_speed=3600 * 1000)
    before = credits_left(cloud)
    time.sleep(0.02)
    assert before - credits_left(cloud) >= 10 * 80 * 0.028
    (left,) = cloud.disks()
    cloud.request("DELETE", f"/storage/{left['uuid']}")
    settled = credits_left(cloud)
    time.sleep(0.01)
    assert credits_left(cloud) == settled
