"""Providers over HTTP: what was last read of each, marked when it is old."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.operations.models import Operation
from apps.providers.drivers import DRIVERS
from apps.providers.models import CloudAccount
from apps.providers.services import check_account, refresh_catalog
from apps.workspaces.models import Workspace
from tests.refusals import refused

PATHS = ("/v1/providers", "/v1/providers/upcloud/plans", "/v1/providers/upcloud/zones", "/v1/providers/upcloud/images")


@pytest.fixture
def get(api, bob):
    return lambda path: api(bob).get(path)


def upcloud(get):
    return next(item for item in get("/v1/providers").json() if item["name"] == "upcloud")


def test_it_lists_every_provider_that_has_a_driver(get, account):
    found = get("/v1/providers").json()
    assert [item["name"] for item in found] == sorted(DRIVERS)
    shown = upcloud(get)
    assert list(shown) == ["name", "title", "available", "problem", "accounts"]
    assert (shown["title"], shown["available"], shown["problem"]) == ("UpCloud", True, None)
    [one] = shown["accounts"]
    assert list(one) == ["name", "workspace", "enabled", "checked_at", "refreshed_at", "stale"]
    assert (one["name"], one["workspace"], one["enabled"], one["stale"]) == ("default", None, True, False)


def test_it_says_that_a_provider_has_no_account(get, account):
    aws = next(item for item in get("/v1/providers").json() if item["name"] == "aws")
    assert (aws["available"], aws["accounts"]) == (False, []) and "no account" in aws["problem"]


def test_it_shows_neither_address_nor_credentials(get, account):
    text = get("/v1/providers").content.decode()
    assert account.endpoint not in text and account.sealed_credentials not in text


def test_a_reading_that_fails_makes_it_unavailable_and_stale_until_one_works(get, account, cloud, run_worker):
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path=r"/plan$")
    refresh_catalog(account=account)
    run_worker()
    shown = upcloud(get)
    assert (shown["available"], shown["accounts"][0]["stale"]) == (False, True)
    assert shown["problem"] == Operation.objects.latest("created_at").error
    assert get("/v1/providers/upcloud/plans").json()[0]["stale"] is True
    refresh_catalog(account=account)
    run_worker()
    assert (upcloud(get)["available"], upcloud(get)["accounts"][0]["stale"]) == (True, False)


def test_a_test_of_the_connection_shows_it_too(get, account, cloud, run_worker):
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path=r"/account$")
    check_account(account=account)
    run_worker()
    assert "does not accept the credentials" in upcloud(get)["problem"]
    check_account(account=account)
    run_worker()
    assert upcloud(get)["problem"] is None


def test_an_order_is_refused_with_the_reason_why_an_account_has_never_worked(api, alice, body, account):
    CloudAccount.objects.update(refreshed_at=None, problem="No container engine answers on this machine.")
    message = refused(api(alice).post("/v1/servers/create", body), 503, "SERVICE_UNAVAILABLE")["message"]
    assert message == "upcloud cannot be used now: No container engine answers on this machine."


def test_what_was_read_long_ago_is_marked(get, account):
    CloudAccount.objects.update(refreshed_at=timezone.now() - timedelta(hours=4))
    for path in PATHS[1:]:
        assert {row["stale"] for row in get(path).json()} == {True}


def test_it_shows_plans_with_their_prices(get, account):
    plans = {plan["name"]: plan for plan in get("/v1/providers/upcloud/plans").json()}
    assert list(plans["2xCPU-4GB"]) == ["name", "family", "cpus", "memory_mib", "disk_gib", "prices", "stale"]
    assert (plans["2xCPU-4GB"]["cpus"], plans["2xCPU-4GB"]["memory_mib"], plans["2xCPU-4GB"]["disk_gib"]) == (
        2,
        4096,
        80,
    )
    assert plans["2xCPU-4GB"]["prices"]["de-fra1"] == {"currency": "EUR", "hourly": "0.041667", "monthly": "28.00"}
    [there] = [p for p in get("/v1/providers/upcloud/plans?zone=de-fra1").json() if p["name"] == "2xCPU-4GB"]
    assert list(there["prices"]) == ["de-fra1"]


def test_it_shows_zones_and_images(get, account):
    assert {"name": "de-fra1", "title": "Frankfurt #1", "stale": False} in get("/v1/providers/upcloud/zones").json()
    assert get("/v1/providers/upcloud/images").json()[0]["title"].startswith("Debian GNU/Linux 12")


def test_a_workspace_sees_its_own_account_first(get, account, workspace):
    mine = CloudAccount.objects.create(provider="upcloud", name="own", workspace=workspace, refreshed_at=timezone.now())
    mine.zones.create(name="xx-own1", title="Ours")
    assert [zone["name"] for zone in get("/v1/providers/upcloud/zones?workspace=production").json()] == ["xx-own1"]
    assert "xx-own1" not in {zone["name"] for zone in get("/v1/providers/upcloud/zones").json()}
    Workspace.objects.create(name="other", path="/opt/other")
    assert "xx-own1" not in {zone["name"] for zone in get("/v1/providers/upcloud/zones?workspace=other").json()}


def test_it_refuses_what_there_is_not(get, account):
    refused(get("/v1/providers/nowhere/plans"), 404, "NOT_FOUND")
    refused(get("/v1/providers/aws/plans"), 404, "NOT_FOUND")
    refused(get("/v1/providers/upcloud/plans?zone=de-fra2"), 400, "VALIDATION_ERROR")
    refused(get("/v1/providers/upcloud/zones?zone=de-fra1"), 400, "VALIDATION_ERROR")
    refused(get("/v1/providers/upcloud/plans?workspace=nowhere"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("path", PATHS)
def test_it_is_for_those_who_may_read_servers(api, charlie, account, path):
    refused(api(charlie).get(path), 403, "FORBIDDEN")
    refused(api().get(path), 401, "UNAUTHORIZED")


def test_it_asks_the_database_a_few_questions_and_the_cloud_none(get, account, cloud, django_assert_max_num_queries):
    before = cloud.calls()
    for path in PATHS:
        with django_assert_max_num_queries(5):
            get(path)
    assert cloud.calls() == before
