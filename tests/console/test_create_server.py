"""Creating servers from the console: its lists, its check in words, several at once, and who may."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from tests.console import a_server, browser, page, seeded, shown_messages

ADD = "/admin/servers/server/add/"


@pytest.fixture
def olga(db):
    return browser(seeded("olga", "operator"))


@pytest.fixture
def given(account, workspace):
    order = {"workspace": "production", "provider": "upcloud", "zone": "de-fra1", "plan": "2xCPU-4GB"}
    return order | {"hostname": "web-[01-03]", "tags": "web, production web"}


def test_its_lists_follow_workspace_and_provider(olga, given):
    html = olga.get(ADD).content.decode()
    assert "2xCPU-4GB: 2 CPUs, 4 GiB memory, 80 GiB disk, 28.00 EUR a month" in html
    offer = olga.get(f"{ADD}offer/", {"workspace": "production", "provider": "upcloud"}).json()
    assert {"name": "de-fra1", "text": "de-fra1, Frankfurt #1"} in offer["zones"]
    plan = next(plan for plan in offer["plans"] if plan["name"] == "2xCPU-4GB")
    assert plan["prices"]["de-fra1"] == "28.00 EUR a month"
    assert olga.get(f"{ADD}offer/", {"workspace": "nowhere"}).json()["providers"] == []


def test_a_check_says_what_would_happen_and_what_it_costs_and_changes_nothing(olga, given, run_worker):
    answer = olga.post(ADD, given | {"check": "yes"})
    checks = list(Operation.objects.filter(check_mode=True))
    assert [operation.params["wanted"]["hostname"] for operation in checks] == ["web-01", "web-02", "web-03"]
    assert "Do it" in answer.content.decode()
    run_worker()
    html = olga.get(answer.context["checks_address"]).content.decode()
    said_ = (
        "</b> would be created at UpCloud in de-fra1 with plan 2xCPU-4GB, in workspace production; it costs 28.00 EUR"
    )
    assert html.count(said_) == 3 and "Together 84.00 EUR a month." in html
    assert not Server.objects.exists()


def test_it_then_does_exactly_that(olga, given, run_worker):
    answer = olga.post(ADD, given | {"do": "yes"}, follow=True)
    assert len(shown_messages(answer)) == 3 and answer.request["PATH_INFO"] == "/admin/servers/server/"
    run_worker()
    made = Server.objects.order_by("hostname")
    assert [(server.hostname, server.status, server.tags) for server in made] == [
        (f"web-0{number}", "running", ["web", "production"]) for number in (1, 2, 3)
    ]
    answer = olga.post(ADD, given | {"hostname": "db-01", "do": "yes"})
    assert answer.url == page(Operation.objects.latest("created_at"))


def test_each_server_is_created_or_refused_on_its_own(olga, given, account, workspace):
    a_server(account, workspace, "web-02")
    answer = olga.post(ADD, given | {"do": "yes"}, follow=True)
    messages = " ".join(shown_messages(answer))
    assert "Create web-01" in messages and "Create web-03" in messages and "web-02:" in messages
    assert sorted(Server.objects.values_list("hostname", flat=True)) == ["web-01", "web-02", "web-03"]


@pytest.mark.parametrize(
    ("wrong", "field", "text"),
    [
        ({"hostname": "web_1"}, "hostname", "Give a host name (RFC 1123)"),
        ({"hostname": "w[5-1]"}, "hostname", "counts upwards"),
        ({"hostname": "w[1-9999]"}, "hostname", "range of 1 to 50"),
        ({"hostname": "a[1-2]b[1-2]"}, "hostname", "one range only"),
        ({"tags": "-bad"}, "tags", "A tag has 1 to 63 letters"),
        ({"plan": "9xCPU"}, "plan", "9xCPU is not one of 1xCPU-1GB"),
        ({"expires_at": "2020-01-01T12:00"}, "expires_at", "has passed"),
    ],
)
def test_it_says_at_the_field_what_is_wrong(olga, given, wrong, field, text):
    answer = olga.post(ADD, given | wrong | {"do": "yes"})
    assert text in " ".join(answer.context["form"].errors[field])
    assert not Operation.objects.filter(kind="server.create").exists()


def test_it_says_once_what_is_wrong_for_all_names(olga, given):
    found = olga.post(ADD, given | {"tags": "-bad", "do": "yes"}).context["form"].errors["tags"]
    assert len(found) == 1 and found[0].startswith("A tag has 1 to 63 letters")


@pytest.mark.parametrize("role", ["viewer", "developer"])
def test_it_is_for_those_who_may_create(role, given):
    client = browser(seeded("viv", role))
    for address in (ADD, f"{ADD}offer/", f"{ADD}checks/"):
        assert client.get(address).status_code == 403
    assert client.post(ADD, given | {"do": "yes"}).status_code == 403
    assert "Create servers" not in client.get("/admin/servers/server/").content.decode()
    assert not Operation.objects.filter(kind="server.create").exists()
