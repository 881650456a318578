"""The UpCloud driver reads lists to their proven end."""

import pytest

from apps.providers.drivers.base import ListChanged, TransientProviderError
from apps.providers.drivers.upcloud import client
from tests.providers.test_upcloud.script import REF, answer, page, raised, servers


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


def test_it_reads_to_an_empty_page_when_there_is_no_total(script, scripted):
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
    assert raised(scripted.list) == (TransientProviderError, "PROVIDER_UNAVAILABLE")
    script.answers = [*answers, *answers]
    assert raised(scripted.find, "srv-1") == (TransientProviderError, "PROVIDER_UNAVAILABLE")


def test_it_gives_up_on_a_list_without_end(script, scripted, monkeypatch):
    monkeypatch.setattr(client, "MAX_PAGES", 3)
    script.answers = [page(servers(number)) for number in range(3)]
    assert raised(scripted.list) == (TransientProviderError, "PROVIDER_UNAVAILABLE")


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        ([page(servers(1, 2), 4), page(servers(3), 3)], 3),
        ([page(servers(1, 2), 3), page(servers(3), 4), page(servers(4), 4)], 4),
        ([page(servers(1, 2), 3), page(servers(2, 3), 4)], 3),
    ],
)
def test_it_gives_what_a_list_shows_that_changes_while_it_is_read(script, scripted, answers, count):
    script.answers = answers
    with pytest.raises(ListChanged) as caught:
        scripted.list()
    assert [machine.ref for machine in caught.value.seen] == [one["uuid"] for one in servers(*range(1, count + 1))]
    assert not script.answers
