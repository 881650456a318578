"""The UpCloud driver reads lists to their proven end."""

import pytest

from apps.providers.drivers.base import Transient
from apps.providers.drivers.upcloud import client

from .script import REF, answer, page, raised, servers


def test_it_reads_all_pages(script, scripted):
    script.answers = [page(servers(*range(100)), 130), page(servers(*range(100, 130)), 130)]
    assert len(scripted.list()) == 130
    assert [head.split()[1] for head, _ in script.requests] == [
        "/1.3/server?label=prov-install%3Dinst-1&limit=100&offset=0",
        "/1.3/server?label=prov-install%3Dinst-1&limit=100&offset=100",
    ]


def test_it_goes_on_where_the_cloud_makes_smaller_pages(script, scripted):
    script.answers = [page(servers(1, 2), 3), page(servers(3), 3)]
    assert len(scripted.list()) == 3
    assert "offset=2" in script.requests[1][0]


def test_it_reads_to_an_empty_page_when_no_total_is_told(script, scripted):
    script.answers = [page(servers(1, 2)), page(servers(3)), page([])]
    assert len(scripted.list()) == 3


@pytest.mark.parametrize(
    "answers",
    [
        [page(servers(1), 2), page([], 2)],
        [page([], 1)],
        [page(servers(1, 2), 1)],
        [page(servers(1), 2), page(servers(2), 3)],
        [page(servers(1), 2), page(servers(2))],
        [page(servers(1), 2), page(servers(1), 2)],
        [page(servers(1)), page(servers(1))],
        [page(servers(1, 1), 2)],
        [page(servers(1), "many")],
        [page([{"labels": {}}], 1)],
        [page([{"uuid": 7, "labels": {}}], 1)],
        [page([{"uuid": REF}], 1)],
        [page(["server"], 1)],
        [page({}, 1)],
        [answer(200, {"servers": []}, Upcloud_Total_Count=0)],
        [answer(200, {}, Upcloud_Total_Count=0)],
        [page(servers(1), 2), answer(502, b"<html>")],
    ],
)
def test_it_takes_a_list_that_does_not_add_up_for_an_error(script, scripted, answers):
    script.answers = [*answers, *answers]
    assert raised(scripted.list) == (Transient, "PROVIDER_UNAVAILABLE")
    assert raised(scripted.find, "srv-1") == (Transient, "PROVIDER_UNAVAILABLE")


def test_it_gives_up_on_a_list_without_end(script, scripted, monkeypatch):
    monkeypatch.setattr(client, "MOST_PAGES", 3)
    script.answers = [page(servers(number)) for number in range(3)]
    assert raised(scripted.list) == (Transient, "PROVIDER_UNAVAILABLE")
