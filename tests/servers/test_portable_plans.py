"""`2xCPU-4GB` means the cheapest plan that fits, wherever the provider has none of that name."""

import pytest

from apps.operations.models import Operation
from apps.providers.models import Plan
from apps.servers.models import Server
from tests.refusals import refused


def price(monthly):
    return {"de-fra1": {"currency": "EUR", "hourly": "0.01", "monthly": monthly}}


@pytest.fixture
def plans(account):
    """Offer these plans only: name → processors, memory in GiB, monthly price."""

    def offer(**wanted):
        account.plans.all().delete()
        for name, (cpus, gib, monthly) in wanted.items():
            prices = price(monthly) if monthly else {}
            Plan.objects.create(
                account=account, name=name, cpus=cpus, memory_mib=gib * 1024, disk_gib=10, prices=prices
            )

    return offer


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"a": (2, 4, "20.00"), "b": (2, 8, "10.00")}, "b"),
        ({"a": (1, 4, "1.00"), "b": (2, 2, "1.00"), "c": (4, 8, "50.00")}, "c"),
        ({"a": (2, 4, None), "b": (8, 64, "900.00")}, "b"),
        ({"a": (4, 8, None), "b": (2, 4, None)}, "b"),
        ({"b": (2, 8, "9.00"), "a": (2, 4, "9.00")}, "a"),
        ({"a": (2, 4, "10.00"), "b": (2, 4, "9.00")}, "b"),
    ],
)
def test_it_is_the_cheapest_that_fits(create, plans, offered, chosen):
    plans(**offered)
    create(plan="2xCPU-4GB")
    server = Server.objects.get()
    assert (server.plan, server.size) == ("2xCPU-4GB", chosen)


def test_a_plan_of_that_name_goes_first(create, account):
    create(plan="2xCPU-4GB")
    assert Server.objects.get().size == "2xCPU-4GB"


def test_what_is_no_longer_offered_does_not_count(create, plans, account):
    plans(a=(2, 4, "1.00"), b=(2, 4, "2.00"))
    account.plans.filter(name="a").update(retired_at="2026-01-01T00:00:00Z")
    create(plan="2xCPU-4GB")
    assert Server.objects.get().size == "b"


def test_it_is_ordered_under_the_provider_s_name_and_shown_under_the_asked_one(create, up, api, alice, cloud, account):
    account.plans.filter(name="2xCPU-2GB").delete()
    server = up(plan="2xCPU-3GB")
    [machine] = cloud.servers()
    assert machine["plan"] == server.size != server.plan == "2xCPU-3GB"
    assert api(alice).get(f"/v1/servers/{server.id}/status").json()["plan"] == "2xCPU-3GB"
    assert api(alice).get(f"/v1/servers/{server.id}").json()["size"] == server.size
    log = list(Operation.objects.get().events.values_list("message", flat=True))
    assert f"{server.size} (the cheapest 2xCPU-3GB)" in log[0]


def test_check_mode_says_and_prices_what_it_comes_to(create, run_worker, shown):
    operation = create(plan="2xCPU-3GB", check_mode=True)
    run_worker()
    result = shown(operation)["result"]
    [change] = result["changes"]
    size = Plan.objects.get(name=change["size"])
    assert change["plan"] == "2xCPU-3GB" and size.cpus >= 2 and size.memory_mib >= 3072
    assert result["price"] == size.prices["de-fra1"]
    assert not Server.objects.exists()


@pytest.mark.parametrize("plan", ["900xCPU-1GB", "2xCPU-99999GB", "0xCPU-4GB", "2xcpu-4gb", "2xCPU-4GB "])
def test_it_refuses_what_nothing_fits(api, alice, body, plan):
    error = refused(api(alice).post("/v1/servers/create", {**body, "plan": plan}), 400, "VALIDATION_ERROR")
    assert "plan" in error["details"]
    assert not Server.objects.exists()
