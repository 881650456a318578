"""What is peculiar to Hetzner: names, images by architecture, passwords, addresses, and no second request."""

import json
import time
from decimal import Decimal

import hcloud
import pytest
import yaml

from apps.providers.drivers.base import ListChanged, OutcomeUnknown, ProviderError, TransientProviderError
from apps.providers.drivers.hetzner import client
from apps.providers.drivers.hetzner.client import PUBLIC, Client
from tests.providers.clouds import on_stages
from tests.providers.clouds.hetzner import TOKEN
from tests.providers.test_every_driver.patience import raises, until

pytestmark = on_stages("hetzner")


def refuse(stage, status, code, **more):
    body = {"error": {"code": code, "message": "secret-text", "details": None}}
    stage.faults.fault("respond", **more, status=status, json=body)


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_goes_to_the_public_address_by_default(stage):
    client = Client(stage.connection(endpoint=""))
    assert client._endpoint == PUBLIC == "https://api.hetzner.cloud/v1"


@pytest.mark.parametrize("endpoint", ["ftp://a", "https://user:pass@host/v1", "https://host:99999"])
def test_it_refuses_an_endpoint_that_is_none(stage, open_driver, endpoint):
    with raises(ProviderError, "PROVIDER_INVALID"):
        open_driver(stage.connection(endpoint=endpoint))


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limit_exceeded"), (409, "conflict"), (504, "timeout"), (502, "bad_gateway")]
)
def test_it_never_sends_again_by_itself(stage, driver, status, code):
    refuse(stage, status, code, times=None, **stage.create_call.rule)
    with pytest.raises((TransientProviderError, OutcomeUnknown)):
        driver.create(stage.spec())
    assert stage.orders() == 1


def test_it_is_not_led_astray_by_a_netrc(stage, driver, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login eve password wrong-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    driver.check()


@pytest.mark.parametrize(
    ("status", "code", "error", "public"),
    [
        (403, "forbidden", ProviderError, "PROVIDER_FORBIDDEN"),
        (403, "token_readonly", ProviderError, "PROVIDER_FORBIDDEN"),
        (412, "resource_unavailable", ProviderError, "PROVIDER_CAPACITY"),
        (422, "placement_error", ProviderError, "PROVIDER_CAPACITY"),
        (422, "invalid_input", ProviderError, "PROVIDER_INVALID"),
        (423, "locked", TransientProviderError, "PROVIDER_BUSY"),
        (409, "conflict", TransientProviderError, "PROVIDER_BUSY"),
        (503, "maintenance", TransientProviderError, "PROVIDER_UNAVAILABLE"),
        (409, "uniqueness_error", OutcomeUnknown, "PROVIDER_ANSWER_LOST"),
        (500, "service_error", OutcomeUnknown, "PROVIDER_ANSWER_LOST"),
    ],
)
def test_it_reads_the_code_of_a_refused_order(stage, driver, status, code, error, public):
    refuse(stage, status, code, **stage.create_call.rule)
    with raises(error, public) as caught:
        driver.create(stage.spec())
    assert "secret-text" not in f"{caught.value!r} {caught.value.data}"


@pytest.mark.parametrize("remaining", ["0", "17"])
def test_it_waits_until_the_limit_is_reset(stage, driver, remaining):
    headers = {"RateLimit-Remaining": remaining, "RateLimit-Reset": str(int(time.time()) + 20)}
    refuse(stage, 429, "rate_limit_exceeded", headers=headers)
    with raises(TransientProviderError, "PROVIDER_RATE_LIMITED") as caught:
        driver.check()
    assert caught.value.after is None if remaining == "17" else 15 <= caught.value.after <= 21


@pytest.mark.parametrize("response", [{"json": {"error": "odd"}}, {"json": []}, {"json": {"error": {}}}])
def test_it_takes_no_other_404_for_a_machine_that_is_gone(stage, driver, response):
    stage.faults.fault("respond", status=404, **response)
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.get(stage.nobody)


def test_it_follows_no_redirection(stage, driver):
    stage.faults.fault("respond", status=302, headers={"Location": "http://127.0.0.1:1/"}, text="")
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.check()


# ── ordering ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_takes_the_image_of_the_plan_s_architecture(stage, driver):
    for plan, architecture in (("cx22", "x86"), ("cax11", "arm")):
        made = driver.create(stage.spec(plan=plan, server_id=f"srv-{plan}"))
        assert stage.server(made.ref)["image"]["architecture"] == architecture


def test_it_refuses_an_image_that_the_architecture_lacks(stage, driver):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(stage.spec(plan="cax11", image="ubuntu-24.04"))
    assert stage.orders() == 0


def test_it_refuses_a_disk_that_is_larger_than_the_plan_s(stage, driver):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(stage.spec(disk_gib=41))
    assert stage.orders() == 0


def test_it_refuses_user_data_that_is_too_long(stage, driver):
    with raises(ProviderError, "PROVIDER_INVALID") as caught:
        driver.create(stage.spec(user_data="#" * 32768))
    assert "32768" in str(caught.value) and stage.orders() == 0


@pytest.mark.parametrize("keys", [(), ("ssh-ed25519 AAAA me",)])
def test_it_lets_nobody_in_by_password(stage, driver, keys):
    made = driver.create(stage.spec(ssh_keys=keys))
    config = yaml.safe_load(stage.document(made.ref)["cloud-config"])
    assert config["ssh_pwauth"] is False
    assert config["runcmd"] == [["usermod", "--password", "*", "root"]]


def test_it_keeps_no_password(stage, driver):
    assert "made-up-by-the-cloud" not in repr(driver.create(stage.spec()))


def test_it_gives_the_machine_its_own_name(stage, driver):
    made = driver.create(stage.spec(hostname="web-1.example.test"))
    assert stage.server(made.ref)["name"].startswith("web-1-")
    assert yaml.safe_load(stage.document(made.ref)["cloud-config"])["fqdn"] == "web-1.example.test"


def test_it_shows_a_machine_that_boots(stage, driver):
    stage.api.boot_seconds = 0.3
    made = driver.create(stage.spec())
    assert made.state == driver.get(made.ref).state == "starting" and made.ip
    assert driver.delete(made.ref, server_id="srv-abc123") is False
    assert stage.refs() == [made.ref]
    until(lambda: driver.delete(made.ref, server_id="srv-abc123"))
    assert stage.leftovers() == []


def test_it_deletes_no_protected_machine(stage, driver):
    made = driver.create(stage.spec())
    stage.server(made.ref)["protection"]["delete"] = True
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.delete(made.ref, server_id="srv-abc123")


# ── the catalog ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_offers_a_type_only_where_it_can_be_ordered(driver):
    plans = {plan.name: plan for plan in driver.plans()}
    assert set(plans) == {"cx22", "cx32", "cax11"}
    assert set(plans["cx22"].prices) == {"fsn1", "nbg1"} and set(plans["cx32"].prices) == {"fsn1"}
    assert set(plans["cax11"].prices) == {"fsn1"}


def test_it_shows_net_prices_with_the_address(driver):
    [plan] = [plan for plan in driver.plans() if plan.name == "cx22"]
    price = plan.prices["fsn1"]
    assert (price.currency, price.hourly, price.monthly) == ("EUR", Decimal("0.0068"), Decimal("4.29"))
    assert (plan.cpus, plan.memory_mib, plan.disk_gib, plan.family) == (2, 4096, 40, "shared x86")


def test_it_shows_each_image_once_and_none_that_is_deprecated(driver):
    assert [image.name for image in driver.images()] == ["debian-12", "ubuntu-24.04"]


def test_it_reads_every_page(stage, driver):
    for number in range(53):
        driver.create(stage.spec(server_id=f"srv-{number}"))
    assert len(driver.list()) == 53


# ── the stub, as Hetzner's own client sees it ─────────────────────────────────────────────────────────────────────────
def test_hetzner_s_own_client_reads_what_the_driver_made(stage, driver):
    made = driver.create(stage.spec())
    client = hcloud.Client(token=TOKEN, api_endpoint=stage.connection().endpoint, timeout=5)
    [server] = client.servers.get_all(label_selector="prov-machine==srv-abc123")
    assert (str(server.id), server.status, server.public_net.ipv4.ip) == (made.ref, "running", made.ip)
    assert server.server_type.architecture == server.image.architecture == "x86"
    assert server.created == made.created_at and server.location.name == made.zone
    assert {kind.name for kind in client.server_types.get_all()} == {"cx11", "cx22", "cx32", "cax11"}
    assert client.images.get_by_name_and_architecture("debian-12", "arm").id != server.image.id
    assert server.power_off().command == "poweroff"
    assert server.delete().command == "delete_server"
    assert stage.refs() == stage.leftovers() == []


# ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def edit_page(stage, number, change):
    """Change the JSON of one page of the list."""

    def edited(body):
        answer = json.loads(body)
        change(answer)
        return json.dumps(answer).encode()

    stage.faults.fault("edit", method="GET", path=rf"/servers\?.*\bpage={number}\b", change=edited)


def count_one_more(stage):
    """Let a machine go away after the first page."""
    edit_page(stage, 1, lambda page: page["meta"]["pagination"].update(total_entries=3))


def repeat_the_first(stage):
    """Let a machine come after the first page, so that its last item is the second page's first."""
    first = []
    edit_page(stage, 1, lambda page: first.extend(page["servers"]))
    edit_page(stage, 2, lambda page: page["servers"].extend(first))


@pytest.mark.parametrize("happens", [count_one_more, repeat_the_first])
def test_it_gives_what_a_list_shows_that_changes_while_it_is_read(stage, driver, monkeypatch, happens):
    made = {driver.create(stage.spec(server_id=f"srv-{number}", hostname=f"web-{number}")).ref for number in range(2)}
    monkeypatch.setattr(client, "PAGE", 1)
    happens(stage)
    with pytest.raises(ListChanged) as caught:
        driver.list()
    assert sorted(machine.ref for machine in caught.value.seen) == sorted(made)
    assert {machine.ref for machine in driver.list()} == made
