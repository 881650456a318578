import pytest

from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from tests.console import browser, listing, page, seeded

EMULATED = "nothing is really installed"


@pytest.fixture
def chief(db):
    return browser(seeded("chief", "admin"))


def test_it_lists_taskservs_and_says_that_they_are_emulated(chief, install, web_01, web_02):
    install("redis", ["web-02", "web-01"])
    html = chief.get(listing(Taskserv)).content.decode()
    assert "web-01, web-02" in html and "badge-up" in html and EMULATED in html
    assert "1 taskserv" in chief.get(listing(Taskserv), {"q": "web-0"}).content.decode()
    for query in ({"name": "nginx"}, {"q": "db-01"}, {"servers__id": "srv-other"}):
        assert "0 taskservs" in chief.get(listing(Taskserv), query).content.decode()


def test_it_shows_a_taskserv_whole_and_changes_nothing(chief, install, web_01):
    taskserv = Taskserv.objects.get(pk=install("redis", config={"port": 6380}))
    html = chief.get(page(taskserv)).content.decode()
    for text in (taskserv.id, "6380", EMULATED, page(web_01), "Install redis on web-01"):
        assert text in html, text
    assert chief.post(page(taskserv), {"name": "nginx"}).status_code == 403


def test_it_stands_on_its_servers_page(chief, install, web_01):
    taskserv = Taskserv.objects.get(pk=install("redis"))
    html = chief.get(page(web_01)).content.decode()
    assert page(taskserv) in html and EMULATED in html


def test_it_asks_the_same_number_of_queries_for_any_number_of_rows(
    chief, install, web_01, django_assert_max_num_queries
):
    install("redis")
    install("nginx")
    install("kubernetes")
    chief.get(listing(Taskserv))
    with django_assert_max_num_queries(12):
        chief.get(listing(Taskserv))


def test_what_does_not_work_is_seen_in_the_list_on_the_page_and_on_the_servers(chief, install, web_01, web_02):
    taskserv = Taskserv.objects.get(pk=install("redis", ["web-01", "web-02"]))
    Server.objects.update(emulated=False)
    taskserv.installations.filter(server=web_01).update(health="healthy")
    taskserv.installations.filter(server=web_02).update(health="degraded", error="It does not answer a PING.")
    assert "badge-degraded" in chief.get(listing(Taskserv)).content.decode()
    shown = chief.get(page(taskserv)).content.decode()
    assert (
        "It is degraded on web-02" in shown and "It does not answer a PING." in shown and "Verify looks again" in shown
    )
    assert "badge-degraded" in chief.get(page(web_02)).content.decode()
    assert "badge-degraded" not in chief.get(page(web_01)).content.decode()
    assert "1 taskserv" in chief.get(listing(Taskserv), {"health": "degraded"}).content.decode()
    assert "0 taskservs" in chief.get(listing(Taskserv), {"health": "healthy"}).content.decode()
    told = browser(seeded("vera", "viewer")).get(page(taskserv)).content.decode()
    assert "It is degraded on web-02" in told and "Verify looks again" not in told


def test_it_says_where_clients_connect(chief, install, web_01, web_02):
    local = Taskserv.objects.get(pk=install("redis"))
    assert "redis://10.0.0.1:6379, from the server itself only" in chief.get(page(local)).content.decode()
    shared = Taskserv.objects.get(pk=install("redis", ["web-02"], config={"bind": ["*"]}))
    html = chief.get(page(shared)).content.decode()
    assert "redis://10.0.0.1:6379" in html and "itself only" not in html
