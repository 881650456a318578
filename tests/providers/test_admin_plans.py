"""Plans in the console, with the prices of several accounts side by side."""

import pytest
from django.utils import timezone

from apps.providers.models import CloudAccount, Plan
from tests.console import browser, listing, page, seeded, staff

COMPARE = "/admin/providers/plan/compare/"


def account_with(provider, currency, plans, **facts):
    account = CloudAccount.objects.create(provider=provider, name="main", **facts)
    for name, (cpus, memory, monthly) in plans.items():
        prices = {
            zone: {"currency": currency, "hourly": "0.0104", "monthly": str(monthly + extra)} for zone, extra in ZONES
        }
        Plan.objects.create(
            account=account,
            name=name,
            family="general_purpose",
            cpus=cpus,
            memory_mib=memory * 1024,
            prices=prices,
            disk_gib=0,
        )
    return account


ZONES = [("north", 2), ("south", 0)]


@pytest.fixture
def offers(db):
    account_with("hetzner", "EUR", {"cx22": (2, 4, 5), "cx52": (16, 32, 32)})
    account_with("upcloud", "EUR", {"1xCPU-1GB": (1, 1, 7), "2xCPU-4GB": (2, 4, 28)})
    account_with("aws", "USD", {"t3.medium": (2, 4, 1)})
    account_with("local", "EUR", {"off": (2, 4, 1)}, enabled=False)
    Plan.objects.filter(name="1xCPU-1GB").update(retired_at=timezone.now())


def cells(answer):
    names = [str(account) for account in answer.context["accounts"]]
    return {
        row["size"]: {
            name.partition("/")[0]: offer and (offer.plan.name, offer.zone, offer.price["monthly"], offer.is_cheapest)
            for name, offer in zip(names, row["offers"], strict=True)
        }
        for row in answer.context["rows"]
    }


def test_it_compares_the_cheapest_plans_of_a_size_in_their_cheapest_zones(offers):
    answer = browser(seeded("viv", "viewer")).get(COMPARE)
    assert cells(answer) == {
        "2 CPUs, 4 GiB memory": {
            "AWS": ("t3.medium", "south", "1", False),
            "Hetzner Cloud": ("cx22", "south", "5", True),
            "UpCloud": ("2xCPU-4GB", "south", "28", False),
        },
        "16 CPUs, 32 GiB memory": {"AWS": None, "Hetzner Cloud": ("cx52", "south", "32", False), "UpCloud": None},
    }


@pytest.mark.parametrize(
    ("query", "sizes"), [({"cpus": "4"}, 1), ({"memory": "4"}, 2), ({"cpus": "-1"}, 2), ({"cpus": "64"}, 0)]
)
def test_it_leaves_out_sizes_that_are_too_small(offers, query, sizes):
    assert len(cells(browser(seeded("viv", "viewer")).get(COMPARE, query))) == sizes


def test_it_is_for_those_who_may_read_servers(db):
    assert browser(staff("reader", "workspace_read")).get(COMPARE).status_code == 403


def test_it_shows_prices_in_the_list_and_by_zone(offers):
    client = browser(seeded("viv", "viewer"))
    html = client.get(listing(Plan)).content.decode()
    assert COMPARE in html and "28.00 EUR" in html and "general purpose" in html
    offered = client.get(listing(Plan), {"offered": "no"}).context["cl"].result_list
    assert [plan.name for plan in offered] == ["1xCPU-1GB"]
    [table] = client.get(page(Plan.objects.get(name="cx22"))).context["tables"]
    assert table.rows == [["north", "0.0104 EUR", "7.00 EUR"], ["south", "0.0104 EUR", "5.00 EUR"]]
