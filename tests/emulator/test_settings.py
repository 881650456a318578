"""Every way to make the emulated cloud misbehave, and what it remembers of what was done to it."""

import time

import httpx
import pytest

from tests.providers.cloud import server_body
from tests.providers.test_every_driver.patience import until


def create(cloud, **kwargs):
    return cloud.request("POST", "/server", json=server_body(**kwargs))


def refused(answer):
    return answer.status_code, answer.json()["error"]["error_code"]


def test_it_refuses_the_next_call_only(cloud):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    answer = create(cloud)
    assert refused(answer) == (409, "SERVER_RESOURCES_UNAVAILABLE")
    assert "upcloud-cid" in answer.headers
    assert create(cloud).status_code == 202
    assert len(cloud.creates()) == len(cloud.servers()) == 1


def test_it_spoils_as_many_calls_as_configured(cloud):
    cloud.refuse_next("SERVICE_ERROR", status=503, times=2)
    assert [create(cloud).status_code for _ in range(3)] == [503, 503, 202]


def test_it_spoils_for_ever_until_healed(cloud):
    cloud.refuse_next("SERVICE_ERROR", status=503, times=None)
    assert {create(cloud).status_code for _ in range(5)} == {503}
    cloud.heal()
    assert create(cloud).status_code == 202


def test_it_spoils_only_what_matches_method_path_and_body(cloud):
    cloud.refuse_next("A", method="GET", path=r"/account$")
    cloud.refuse_next("B", body="web-2")
    assert create(cloud, hostname="web-1").status_code == 202
    assert cloud.request("GET", "/zone").status_code == 200
    assert refused(create(cloud, hostname="web-2")) == (409, "B")
    assert refused(cloud.request("GET", "/account/")) == (409, "A")
    assert [rule["times_left"] for rule in cloud.faults()] == [0, 0]


def test_it_checks_credentials_before_it_spoils(cloud):
    cloud.refuse_next("A", method="GET", path="")
    assert httpx.get(f"{cloud.url}/account").status_code == 401
    assert cloud.faults()[0]["times_left"] == 1


def test_it_answers_anything_configured(cloud):
    cloud.respond_next(418, text="short and stout", content_type="text/plain", headers={"X-Pot": "tea"})
    answer = create(cloud)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (418, "short and stout", "text/plain")
    assert answer.headers["x-pot"] == "tea"


def test_it_limits_the_rate_with_and_without_retry_after(cloud):
    cloud.limit_rate_next(retry_after=7)
    cloud.limit_rate_next()
    first, second = create(cloud), create(cloud)
    assert (first.status_code, first.headers["retry-after"], first.content) == (429, "7", b"")
    assert second.status_code == 429
    assert "retry-after" not in second.headers


def test_it_answers_a_gateway_error_in_html(cloud):
    cloud.break_gateway_next(method="GET", path=r"/plan$")
    answer = cloud.request("GET", "/plan")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert answer.text.startswith("<html>")


def test_it_loses_an_answer_after_the_work(cloud):
    cloud.lose_next_answer()
    with pytest.raises(httpx.RemoteProtocolError):
        create(cloud)
    assert len(cloud.creates()) == len(cloud.servers()) == 1
    assert create(cloud).status_code == 202


def test_it_loses_an_answer_without_the_work(cloud):
    cloud.lose_next_answer(commit=False)
    with pytest.raises(httpx.RemoteProtocolError):
        create(cloud)
    assert cloud.creates() == cloud.servers() == []


def test_it_loses_the_answer_to_a_delete(cloud):
    uuid = cloud.create()["uuid"]
    cloud.request("POST", f"/server/{uuid}/stop")
    cloud.lose_next_answer(method="DELETE", path="/server/")
    with pytest.raises(httpx.RemoteProtocolError):
        cloud.request("DELETE", f"/server/{uuid}?storages=1")
    assert cloud.servers() == cloud.disks() == []


@pytest.mark.parametrize(("after_commit", "made"), [(False, 0), (True, 1)])
def test_it_hangs_before_or_after_the_work(cloud, after_commit, made):
    cloud.hang_next(2, after_commit=after_commit)
    with pytest.raises(httpx.ReadTimeout):
        cloud.request("POST", "/server", json=server_body(), timeout=0.2)
    assert len(cloud.servers()) == made
    assert until(cloud.servers) and len(cloud.servers()) == 1


def test_it_answers_a_short_or_empty_list_with_the_true_count(cloud):
    for name in ("aa", "bb", "cc"):
        cloud.create(name)
    cloud.shorten_next_list(keep=1)
    cloud.shorten_next_list()
    cloud.shorten_next_list(total=0)
    answers = [cloud.request("GET", "/server") for _ in range(4)]
    assert [len(one.json()["servers"]["server"]) for one in answers] == [1, 0, 0, 3]
    assert [one.headers["upcloud-total-count"] for one in answers] == ["3", "3", "0", "3"]


def test_it_limits_creates_at_once(cloud):
    cloud.set(boot_seconds=60, max_concurrent_creates=2)
    assert [create(cloud).status_code for _ in range(2)] == [202, 202]
    assert refused(create(cloud)) == (409, "SERVER_CREATING_LIMIT_REACHED")
    cloud.vanish(cloud.servers()[0]["uuid"])
    assert create(cloud).status_code == 202


def test_it_has_full_zones_and_plans(cloud):
    cloud.set(zones_full=["de-fra1"], plans_full=["1xCPU-1GB"])
    assert refused(create(cloud)) == (409, "SERVER_RESOURCES_UNAVAILABLE")
    assert refused(create(cloud, zone="fi-hel1", plan="1xCPU-1GB")) == (409, "SERVER_RESOURCES_UNAVAILABLE")
    assert create(cloud, zone="fi-hel1").status_code == 202


@pytest.mark.parametrize(("knob", "state"), [("stuck_in_maintenance", "maintenance"), ("error_state", "error")])
def test_it_spoils_the_state_of_some_hostnames(cloud, knob, state):
    cloud.set(**{knob: ["^bad-"]})
    for name in ("bad-1", "good-1"):
        cloud.create(name)
    assert [server["state"] for server in cloud.servers()] == [state, "started"]
    bad = cloud.servers()[0]["uuid"]
    assert refused(cloud.request("POST", f"/server/{bad}/stop")) == (409, "SERVER_STATE_ILLEGAL")
    cloud.set(**{knob: []})
    assert cloud.servers()[0]["state"] == "started"


def test_it_refuses_settings_and_faults_that_make_no_sense(cloud):
    def refused_control(path, body):
        return cloud.http.post(f"{cloud.root}/control/{path}", json=body).status_code

    assert refused_control("settings", {"boot_secs": 1}) == 400
    assert refused_control("settings", {"error_state": ["("]}) == 400
    assert refused_control("faults", {"action": "explode"}) == 400
    assert refused_control("faults", {"action": "hang", "path": "("}) == 400
    assert "boot_secs" not in cloud.set()


def test_it_remembers_creates_and_deletes_with_their_labels(cloud):
    uuid = cloud.create("web-1", {"prov-machine": "m-1"})["uuid"]
    cloud.create("web-2", {"prov-machine": "m-2"})
    cloud.request("POST", f"/server/{uuid}/stop")
    cloud.request("DELETE", f"/server/{uuid}?storages=1")
    (made,) = cloud.creates("m-1")
    assert (made["server"], made["hostname"]) == (uuid, "web-1")
    assert {"key": "prov-machine", "value": "m-1"} in made["labels"]
    assert made["at"] == pytest.approx(time.time(), abs=60)
    assert len(cloud.creates()) == 2
    assert [one["server"] for one in cloud.deletes()] == [uuid]


def test_it_counts_calls_by_method_and_path(cloud):
    cloud.create()
    create(cloud, zone="nowhere")
    cloud.request("GET", "/server/")
    cloud.servers()
    assert cloud.calls("POST", r"/server$") == 2
    assert cloud.calls("GET", r"/server$") == 1
    assert cloud.calls() == 3


def test_it_counts_calls_that_are_lost_or_not_allowed(cloud):
    cloud.lose_next_answer()
    with pytest.raises(httpx.RemoteProtocolError):
        create(cloud)
    httpx.get(f"{cloud.url}/account")
    assert (cloud.calls("POST"), cloud.calls("GET", "/account$")) == (1, 1)


def test_it_lets_a_server_vanish(cloud):
    cloud.set(boot_seconds=60)
    cloud.vanish(cloud.create()["uuid"])
    assert cloud.servers() == cloud.disks() == []


def test_it_forgets_everything_on_reset(cloud):
    cloud.create()
    cloud.set(boot_seconds=9, zones_full=["de-fra1"])
    cloud.refuse_next("A")
    cloud.reset()
    assert cloud.servers() == cloud.disks() == cloud.faults() == cloud.creates() == []
    assert cloud.calls() == 0
    assert cloud.set()["boot_seconds"] == 0
    assert cloud.create()["ip_addresses"]["ip_address"][0]["address"] == "127.77.0.2"


def test_it_says_what_it_is(cloud):
    cloud.create("web-1")
    page = cloud.http.get(f"{cloud.root}/").json()
    assert "Nothing real" in page["what"]
    assert [server["hostname"] for server in page["servers"]] == ["web-1"]
