"""UpCloud's shapes, read and written without a network."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.providers.drivers.base import MachineSpec, Price, Zone
from apps.providers.drivers.upcloud import catalog, machines

REF = "00aa1111-2222-4333-8444-555566667777"
DISK = "01bb1111-2222-4333-8444-555566667777"
SPEC = MachineSpec(
    server_id="srv-abc123",
    hostname="web-1.example.test",
    plan="1xCPU-1GB",
    zone="fi-hel1",
    disk_gib=25,
    tags=("web", "blue"),
    ssh_keys=("ssh-ed25519 AAAA prov",),
    user_data="#cloud-config\n",
)
DETAILS = {
    "uuid": REF,
    "hostname": "web-1.example.test",
    "plan": "1xCPU-1GB",
    "zone": "fi-hel1",
    "core_number": "1",
    "state": "started",
    "created": 1795000000,
    "labels": {
        "label": [
            {"key": "prov-managed", "value": "1"},
            {"key": "PROV-install", "value": "inst-1"},
            {"key": "prov-machine", "value": "srv-abc123"},
        ]
    },
    "ip_addresses": {"ip_address": [{"access": "public", "address": "203.0.113.99", "family": "IPv4"}]},
    "networking": {
        "interfaces": {
            "interface": [
                {"type": "utility", "ip_addresses": {"ip_address": [{"address": "10.1.0.10", "family": "IPv4"}]}},
                {
                    "type": "public",
                    "ip_addresses": {
                        "ip_address": [
                            {"address": "2001:db8::1", "family": "IPv6"},
                            {"address": "203.0.113.10", "family": "IPv4"},
                        ]
                    },
                },
            ]
        }
    },
    "storage_devices": {
        "storage_device": [{"type": "disk", "storage": DISK}, {"type": "cdrom", "storage": "01cc"}, {"type": "disk"}]
    },
}


def test_it_reads_a_machine_in_detail():
    machine = machines.machine(DETAILS)
    assert (machine.ref, machine.server_id, machine.hostname) == (REF, "srv-abc123", "web-1.example.test")
    assert (machine.plan, machine.zone, machine.state) == ("1xCPU-1GB", "fi-hel1", "running")
    assert (machine.ip, machine.disks) == ("203.0.113.10", (DISK,))
    assert machine.created_at == datetime.fromtimestamp(1795000000, UTC)
    assert not machine.emulated


def test_it_reads_a_machine_from_the_little_that_a_list_shows():
    machine = machines.machine({"uuid": REF, "labels": [], "networking": None, "created": None, "plan": None})
    assert (machine.ip, machine.disks, machine.created_at, machine.plan) == ("", (), None, "")
    assert (machine.server_id, machine.state) == ("", "unknown")


@pytest.mark.parametrize(
    ("answered", "state"),
    [
        ("started", "running"),
        ("stopped", "stopped"),
        ("maintenance", "starting"),
        ("error", "error"),
        ("pending_delete", "stopping"),
        ("hibernating", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        ([], "unknown"),
    ],
)
def test_it_never_takes_a_state_it_does_not_know_for_a_failure(answered, state):
    assert machines.machine(DETAILS | {"state": answered}).state == state


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "10.0.0.1; rm", "", None, 7, "::1"])
def test_it_passes_on_no_address_that_is_none(address):
    addresses = {"ip_address": [{"address": address, "family": "IPv4"}]}
    networking = {"interfaces": {"interface": [{"type": "public", "ip_addresses": addresses}]}}
    assert machines.machine(DETAILS | {"networking": networking}).ip == ""


@pytest.mark.parametrize("created", ["1795000000", 1795000000])
def test_it_reads_the_time_of_creation(created):
    assert machines.machine(DETAILS | {"created": created}).created_at.year == 2026


@pytest.mark.parametrize("created", ["yesterday", 10**30, [], -(10**30)])
def test_it_lives_without_the_time_of_creation(created):
    assert machines.machine(DETAILS | {"created": created}).created_at is None


@pytest.mark.parametrize(("label", "port"), [("2222", 2222), ("", 22), ("0", 22), ("65536", 22), ("-1", 22), ("x", 22)])
def test_it_sees_the_container_behind_an_emulated_machine(label, port):
    labels = [{"key": "_backed", "value": "yes"}, {"key": "_ssh_port", "value": label}]
    machine = machines.machine(DETAILS | {"labels": labels})
    assert machine.backed
    assert machine.ssh_port == port


def test_it_sees_that_the_cloud_calls_a_machine_emulated():
    labels = [{"key": "_emulated", "value": "yes"}]
    assert machines.machine(DETAILS | {"labels": labels}).emulated
    assert machines.machine(DETAILS | {"labels": {"label": labels}}).emulated


@pytest.mark.parametrize(
    ("installation", "server_id", "ours"),
    [
        ("inst-1", "srv-abc123", True),
        ("inst-1", None, True),
        ("inst-2", "srv-abc123", False),
        ("inst-1", "srv-abc1234", False),
        ("inst-1", "", False),
        ("", "srv-abc123", False),
    ],
)
def test_it_knows_its_own_machines_by_their_labels(installation, server_id, ours):
    assert machines.is_ours(DETAILS, installation, server_id) is ours
    assert not machines.is_ours(DETAILS | {"labels": {"label": []}}, installation, server_id)


@pytest.mark.parametrize(
    ("storage", "ours"),
    [
        ({"title": "srv-1 root (inst-1)", "type": "disk"}, True),
        ({"title": "srv-1 root (inst-1)", "type": "normal"}, True),
        ({"title": "srv-1 root (inst-1)"}, True),
        ({"title": "srv-1 root (inst-1)", "type": "backup"}, False),
        ({"title": "srv-1 root (inst-1)", "type": "template"}, False),
        ({"title": "srv-12 root (inst-1)", "type": "disk"}, False),
        ({"title": "copy of srv-1 root (inst-1)", "type": "disk"}, False),
        ({"title": "srv-1 root (inst-2)", "type": "disk"}, False),
        ({}, False),
    ],
)
def test_it_takes_no_one_else_s_data_for_a_disk_of_its_own(storage, ours):
    assert machines.is_disk(storage, machines.disk_title("srv-1", "inst-1")) is ours


def test_it_asks_for_exactly_what_a_machine_needs():
    server = machines.creation(SPEC, "inst-1")["server"]
    assert server["title"] == "web-1.example.test (srv-abc123)"
    assert (server["metadata"], server["password_delivery"]) == ("yes", "none")
    assert server["login_user"] == {
        "username": "root",
        "create_password": "no",
        "ssh_keys": {"ssh_key": ["ssh-ed25519 AAAA prov"]},
    }
    assert {label["key"]: label["value"] for label in server["labels"]["label"]} == {
        "prov-managed": "1",
        "prov-install": "inst-1",
        "prov-machine": "srv-abc123",
        "prov-tags": "web,blue",
    }
    assert [interface["type"] for interface in server["networking"]["interfaces"]["interface"]] == ["public", "utility"]
    assert server["storage_devices"]["storage_device"] == [
        {"action": "clone", "storage": machines.DEBIAN_12, "title": "srv-abc123 root (inst-1)", "size": 25}
    ]
    assert server["user_data"] == "#cloud-config\n"


def test_it_leaves_out_what_was_not_given_and_takes_the_smallest_disk():
    bare = MachineSpec(server_id="srv-1", hostname="h", plan="p", zone="z", disk_gib=0)
    server = machines.creation(bare, "inst-1")["server"]
    assert "user_data" not in server and "ssh_keys" not in server["login_user"]
    assert "prov-tags" not in str(server["labels"])
    assert server["storage_devices"]["storage_device"][0]["size"] == 10


def test_it_spreads_tags_over_labels_that_hold_them():
    tags = tuple(f"{number}{'t' * 62}" for number in range(6))
    spec = MachineSpec(server_id="srv-1", hostname="h", plan="p", zone="z", disk_gib=0, tags=tags)
    labels = {label["key"]: label["value"] for label in machines.creation(spec, "inst-1")["server"]["labels"]["label"]}
    assert {key: value for key, value in labels.items() if key.startswith("prov-tags")} == {
        "prov-tags": ",".join(tags[:4]),
        "prov-tags-2": ",".join(tags[4:]),
    }


def plan(**fields):
    return {"name": "2xCPU", "core_number": 2, "memory_amount": 2048, "storage_size": 0} | fields


def test_it_prices_a_plan_per_hour_and_month_in_each_zone():
    prices = {
        "currency": "USD",
        "zone": [
            {"name": "fi-hel1", "server_plan_2xCPU": {"amount": 1, "price": Decimal("2.2321")}, "server_core": {}},
            {"name": "de-fra1", "server_plan_2xCPU": {"amount": 2, "price": 3}},
        ],
    }
    [read] = catalog.plans([plan()], prices)
    assert (read.cpus, read.memory_mib, read.disk_gib, read.family) == (2, 2048, 0, "")
    assert read.prices == {
        "fi-hel1": Price(currency="USD", hourly=Decimal("0.022321"), monthly=Decimal("15.00")),
        "de-fra1": Price(currency="USD", hourly=Decimal("0.015"), monthly=Decimal("10.08")),
    }


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        {},
        {"price": 1},
        {"amount": 1},
        {"amount": 0, "price": 1},
        {"amount": 1, "price": -1},
        {"amount": 1, "price": True},
        {"amount": 1, "price": "1"},
        {"amount": 1, "price": Decimal("1e30")},
    ],
)
def test_it_knows_no_price_rather_than_a_wrong_one(item):
    [read] = catalog.plans([plan()], {"zone": [{"name": "fi-hel1", "server_plan_2xCPU": item}, "nonsense"]})
    assert read.prices == {}


def test_it_counts_in_euro_where_no_currency_is_given():
    prices = {"zone": [{"name": "fi-hel1", "server_plan_2xCPU": {"amount": 1, "price": 1}}]}
    [read] = catalog.plans([plan()], prices)
    assert read.prices["fi-hel1"].currency == "EUR"


def test_it_offers_only_plans_that_can_be_ordered_and_read():
    items = [plan(current_offering="yes"), plan(current_offering="no"), plan(core_number=None), plan(name=None), {}]
    assert len(catalog.plans(items, {})) == 1
    assert len(catalog.plans([plan(core_number="2", family=None)], {"zone": None})) == 1


def test_it_offers_only_public_zones():
    items = [
        {"id": "fi-hel1", "description": "Helsinki #1", "public": "yes"},
        {"id": "se-sto1", "public": "yes"},
        {"id": "xx-prv1", "description": "Ours", "public": "no", "parent_zone": "fi-hel1"},
        {"public": "yes"},
    ]
    assert catalog.zones(items) == [Zone(name="fi-hel1", title="Helsinki #1"), Zone(name="se-sto1", title="se-sto1")]
