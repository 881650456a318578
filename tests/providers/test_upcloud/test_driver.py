"""The UpCloud driver against the emulated cloud over real HTTP: everything but the end of a machine's life."""

import logging
import time
from dataclasses import replace

import pytest

from apps.providers.drivers.base import OutcomeUnknown, ProviderError, TransientProviderError
from apps.providers.drivers.upcloud import client, machines
from tests.providers.cloud import DEBIAN
from tests.providers.test_upcloud.driver_helpers import NOWHERE, OURS, SPEC, opened, raises


# ── the account ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_logs_in_with_a_token_or_a_password(cloud, driver):
    driver.check()
    username, password = cloud.credentials
    other = opened(cloud, credentials={"username": username, "password": password})
    other.check()
    other.close()


@pytest.mark.parametrize(
    "credentials", [{"token": "ucat_wrong-secret"}, {"username": "eve", "password": "wrong-secret"}]
)
def test_it_reports_wrong_credentials_without_showing_them(cloud, caplog, credentials):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "apps.providers")
    driver = opened(cloud, credentials=credentials)
    with raises(ProviderError, "PROVIDER_AUTH") as caught:
        driver.check()
    driver.close()
    assert "wrong-secret" not in f"{caplog.text} {caught.value!r} {caught.value.data} {driver!r}"
    assert caught.value.data["correlation_id"]


def test_it_reads_the_catalog(driver):
    plans = {plan.name: plan for plan in driver.plans()}
    zones = {zone.name for zone in driver.zones()}
    assert "de-fra1" in zones
    assert (plans["2xCPU-4GB"].cpus, plans["2xCPU-4GB"].memory_mib, plans["2xCPU-4GB"].disk_gib) == (2, 4096, 80)
    price = plans["2xCPU-4GB"].prices["de-fra1"]
    assert price.currency == "EUR" and 0 < price.hourly < price.monthly
    assert abs(price.hourly * 672 - price.monthly) < 1


# ── create ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_creates_a_machine_that_can_be_found_again(cloud, driver):
    made = driver.create(SPEC)
    [found] = driver.find("srv-abc123")
    assert found == driver.get(made.ref)
    assert (found.ref, found.server_id, found.hostname) == (made.ref, "srv-abc123", "web-1.example.test")
    assert (found.plan, found.zone, found.state) == ("2xCPU-4GB", "de-fra1", "running")
    assert made.state == "starting" and made.created_at
    assert made.ip and (found.ip, found.disks) == (made.ip, made.disks)
    assert len(made.disks) == 1


def test_it_writes_everything_on_the_machine(cloud, driver):
    driver.create(SPEC)
    [server] = cloud.servers()
    labels = {label["key"]: label["value"] for label in server["labels"]["label"] if label["key"][0] != "_"}
    assert labels == OURS | {"prov-tags": "web,blue"}
    assert "srv-abc123" in server["title"]
    [disk] = server["storage_devices"]["storage_device"]
    assert (disk["storage_size"], disk["storage_title"]) == (80, machines.disk_title("srv-abc123", "inst-1"))
    assert [one["type"] for one in server["networking"]["interfaces"]["interface"]] == ["public", "utility"]


def test_it_names_the_template_that_the_cloud_offers():
    assert machines.DEBIAN_12 == DEBIAN


@pytest.mark.parametrize("plan", ["DEV-1xCPU-1GB-10GB", "CLOUDNATIVE-2xCPU-4GB"])
def test_it_creates_plans_with_a_slow_disk_or_none(driver, plan):
    offered = {plan.name: plan for plan in driver.plans()}[plan]
    made = driver.create(replace(SPEC, plan=plan, disk_gib=offered.disk_gib))
    assert made.plan == plan and made.disks


@pytest.mark.parametrize(
    "changes", [{"plan": "no-plan"}, {"zone": "no-zone"}, {"hostname": "not a name"}, {"hostname": ""}]
)
def test_it_is_refused_what_cannot_be_and_makes_nothing(cloud, driver, changes):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(replace(SPEC, **changes))
    assert cloud.servers() == []


@pytest.mark.parametrize(
    ("code", "status", "error", "public", "after"),
    [
        ("SERVER_RESOURCES_UNAVAILABLE", 409, ProviderError, "PROVIDER_CAPACITY", None),
        ("INSUFFICIENT_CREDITS", 402, ProviderError, "PROVIDER_BILLING", None),
        ("SERVER_CORE_LIMIT_REACHED", 403, ProviderError, "PROVIDER_QUOTA", None),
        ("SERVER_FORBIDDEN", 403, ProviderError, "PROVIDER_FORBIDDEN", None),
        ("AUTHENTICATION_FAILED", 401, ProviderError, "PROVIDER_AUTH", None),
        ("SERVER_CREATING_LIMIT_REACHED", 403, TransientProviderError, "PROVIDER_RATE_LIMITED", 30),
        ("SERVER_STATE_ILLEGAL", 409, TransientProviderError, "PROVIDER_BUSY", None),
        ("SERVICE_ERROR", 500, OutcomeUnknown, "PROVIDER_ANSWER_LOST", None),
    ],
)
def test_it_passes_on_why_a_creation_did_not_happen(cloud, driver, code, status, error, public, after):
    cloud.refuse_next(code, status)
    with raises(error, public) as caught:
        driver.create(SPEC)
    assert getattr(caught.value, "after", None) == after
    assert caught.value.data["cloud_code"] == code and caught.value.data["status"] == status
    assert "emulator was told" not in str(caught.value)
    assert cloud.servers() == [] and cloud.calls("POST", r"/server/?$") == 1


@pytest.mark.parametrize(("asked", "after"), [(7, 7), (900, 60), (None, None)])
def test_it_passes_on_how_long_to_wait(cloud, driver, asked, after):
    cloud.limit_rate_next(asked)
    with raises(TransientProviderError, "PROVIDER_RATE_LIMITED") as caught:
        driver.create(SPEC)
    assert caught.value.after == after


def test_it_adopts_the_machine_whose_creation_went_unanswered(cloud, driver):
    cloud.lose_next_answer()
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(SPEC)
    [found] = driver.find("srv-abc123")
    assert found.ip and found.disks
    assert len(cloud.creates("srv-abc123")) == 1 and cloud.calls("POST", r"/server/?$") == 1


def test_it_finds_nothing_to_adopt_where_the_creation_never_arrived(cloud, driver):
    cloud.lose_next_answer(commit=False)
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(SPEC)
    assert driver.find("srv-abc123") == [] and cloud.creates() == []


@pytest.mark.parametrize("after_commit", [True, False])
def test_it_is_in_doubt_after_a_creation_that_takes_too_long(cloud, driver, monkeypatch, after_commit):
    monkeypatch.setattr(client, "READ_SECONDS", 0.3)
    cloud.hang_next(0.6, after_commit=after_commit)
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(SPEC)
    assert len(driver.find("srv-abc123")) == int(after_commit)
    ends = time.monotonic() + 5
    while not driver.find("srv-abc123") and time.monotonic() < ends:
        time.sleep(0.05)
    assert len(cloud.creates("srv-abc123")) == 1


def test_it_is_in_doubt_after_a_gateway_s_page(cloud, driver):
    cloud.break_gateway_next()
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(SPEC)


# ── find, get and list ────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_finds_the_oldest_of_two_first_and_nobody_else_s(cloud, driver):
    first, second = driver.create(SPEC), driver.create(SPEC)
    driver.create(replace(SPEC, server_id="srv-abc1234"))
    cloud.create(labels=OURS | {"prov-install": "inst-2"})
    cloud.create()
    found = driver.find("srv-abc123")
    assert {machine.ref for machine in found} == {first.ref, second.ref}
    assert [machine.created_at for machine in found] == sorted(machine.created_at for machine in found)
    assert len(driver.list()) == 3


def test_it_leaves_out_what_vanishes_between_list_and_details(cloud, driver, running):
    cloud.refuse_next("SERVER_NOT_FOUND", 404, method="GET", path=rf"/server/{running.ref}$")
    assert driver.find("srv-abc123") == []


def test_it_says_that_a_machine_is_gone_only_when_the_cloud_says_so(cloud, driver, running):
    cloud.break_gateway_next(method="GET", path=running.ref)
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.get(running.ref)
    cloud.respond_next(404, text="<html>", content_type="text/html", method="GET", path=running.ref)
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.get(running.ref)
    assert driver.get(running.ref) == running
    cloud.vanish(running.ref)
    assert driver.get(running.ref) is None
    assert driver.find("srv-abc123") == [] and driver.list() == []


def test_it_lists_more_than_one_page(cloud, driver):
    for number in range(103):
        driver.create(replace(SPEC, server_id=f"srv-{number}", plan="1xCPU-1GB", disk_gib=25))
    assert {machine.server_id for machine in driver.list()} == {f"srv-{number}" for number in range(103)}
    assert cloud.calls("GET", r"/server/?$") == 2


@pytest.mark.parametrize("ask", [lambda driver: driver.list(), lambda driver: driver.find("srv-abc123")])
def test_it_takes_a_short_list_for_an_error(cloud, driver, running, ask):
    driver.create(SPEC)
    cloud.shorten_next_list(keep=1, times=None)
    assert len(ask(driver)) == 2
    cloud.heal()
    cloud.shorten_next_list()
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        ask(driver)
    assert len(ask(driver)) == 2


def test_it_keeps_looking_at_a_machine_in_an_odd_state(cloud, driver, running):
    for state, seen in [("error", "error"), ("hibernating", "unknown")]:
        odd = {"server": {"uuid": running.ref, "state": state, "labels": {"label": []}}}
        cloud.respond_next(200, json=odd, method="GET", path=running.ref)
        assert driver.get(running.ref).state == seen


# ── start and stop ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_stops_and_starts_and_minds_no_repetition(cloud, driver, running):
    driver.stop(running.ref)
    assert driver.get(running.ref).state == "stopped"
    driver.stop(running.ref)
    assert cloud.calls("POST", r"/stop$") == 1
    driver.start(running.ref)
    assert driver.get(running.ref).state == "running"
    driver.start(running.ref)
    assert cloud.calls("POST", r"/start$") == 1


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_it_looks_again_when_the_state_changed_meanwhile(cloud, driver, running, verb):
    if verb == "start":
        driver.stop(running.ref)
    cloud.lose_next_answer(path=rf"/{verb}$")
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        getattr(driver, verb)(running.ref)
    getattr(driver, verb)(running.ref)
    assert driver.get(running.ref).state == {"start": "running", "stop": "stopped"}[verb]
    assert len(cloud.events(verb)) == 1


def test_it_settles_a_conflict_by_the_state_it_finds(cloud, driver, running):
    old = cloud.servers()[0] | {"state": "stopped"}
    cloud.respond_next(200, json={"server": old}, method="GET", path=running.ref)
    driver.start(running.ref)
    cloud.refuse_next("SERVER_STATE_ILLEGAL", path=r"/stop$")
    with raises(TransientProviderError, "PROVIDER_BUSY"):
        driver.stop(running.ref)


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_it_touches_no_machine_that_is_not_its_own(cloud, driver, verb):
    other = cloud.create(labels=OURS | {"prov-install": "inst-2"})["uuid"]
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        getattr(driver, verb)(other)
    with raises(ProviderError, "PROVIDER_NOT_FOUND"):
        getattr(driver, verb)(NOWHERE)
    assert cloud.calls("POST", rf"/{verb}$") == 0
