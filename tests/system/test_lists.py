"""Paging, order and completeness, the same on every list."""

import json
import re
import tracemalloc

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test.utils import CaptureQueriesContext

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.workspaces.models import Workspace
from tests.system.lists import MAKERS, NAMES, PATHS

pytestmark = pytest.mark.django_db
MANY = 2500
MODELS = dict(zip(PATHS, (Server, Operation, Workspace), strict=True))


@pytest.fixture(params=PATHS)
def path(request):
    return request.param


@pytest.fixture
def see(api, root):
    """Return a list's rows by name."""
    caller = api(root)

    def rows(path, query=""):
        answer = caller.get(path + query)
        assert answer.status_code == 200, answer.content
        return [row[NAMES[path]] for row in json.loads(content(answer))]

    return rows


def content(answer):
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def links(answer):
    return {rel: url for url, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', answer["Link"])}


def test_it_is_an_empty_array_when_there_is_nothing(path, api, root):
    answer = api(root).get(path)
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "application/json", b"[]")
    paged = api(root).get(path + "?page=1")
    assert (paged.content, paged["X-Total-Count"]) == (b"[]", "0")
    assert set(links(paged)) == {"first", "last"}
    assert api(root).get(path + "?page=7").content == b"[]"


def test_it_is_complete_and_without_headers_when_no_page_is_asked_for(path, see, api, root):
    MAKERS[path](30)
    answer = api(root).get(path)
    assert len(answer.json()) == 30
    assert "Link" not in answer and "X-Total-Count" not in answer


@pytest.mark.parametrize("per_page", [1, 7, 10, 25, 1000])
def test_it_walks_its_pages_without_gap_or_overlap(per_page, path, see, api, root):
    MAKERS[path](25)
    url, found = f"{path}?page=1&per_page={per_page}", []
    while url:
        answer = api(root).get(url)
        assert answer["X-Total-Count"] == "25"
        assert 0 < len(answer.json()) <= per_page
        found += [row[NAMES[path]] for row in answer.json()]
        url = links(answer).get("next")
    assert found == see(path)
    assert len(set(found)) == 25


def test_it_links_its_neighbours(path, api, root):
    MAKERS[path](25)
    expected = {1: {"first": 1, "next": 2, "last": 3}, 2: {"first": 1, "prev": 1, "next": 3, "last": 3}}
    expected |= {3: {"first": 1, "prev": 2, "last": 3}, 4: {"first": 1, "prev": 3, "last": 3}}
    for page, neighbours in expected.items():
        answer = api(root).get(f"{path}?page={page}&per_page=10&ordering=-created_at")
        assert len(answer.json()) == {1: 10, 2: 10, 3: 5, 4: 0}[page]
        base = f"http://testserver{path}?"
        for rel, url in links(answer).items():
            assert url.startswith(base)
            query = dict(pair.split("=") for pair in url.removeprefix(base).split("&"))
            assert query == {"page": str(neighbours.pop(rel)), "per_page": "10", "ordering": "-created_at"}
        assert not neighbours


def test_it_has_twenty_rows_a_page_by_default(path, api, root):
    MAKERS[path](25)
    assert len(api(root).get(path + "?page=1").json()) == 20
    assert len(api(root).get(path + "?per_page=5").json()) == 5
    assert len(api(root).get(path + "?page=1&per_page=1000").json()) == 25


def test_it_orders_both_ways(path, see):
    MAKERS[path](12)
    forwards = see(path, "?ordering=created_at")
    assert len(forwards) == 12
    assert forwards == sorted(forwards)
    assert see(path, "?ordering=-created_at") == forwards[::-1]
    assert see(path, "?ordering=-created_at&page=1&per_page=3") == forwards[::-1][:3]


def test_it_orders_by_more_than_one_field(see):
    made = Operation.objects.bulk_create(
        Operation(kind=f"kind.{number}", status=status) for number in range(3) for status in ("running", "failed")
    )
    expected = [("failed", 2), ("failed", 1), ("failed", 0), ("running", 2), ("running", 1), ("running", 0)]
    known = {str(row.pk): (row.status, int(row.kind[-1])) for row in made}
    assert [known[id] for id in see("/v1/operations", "?ordering=status,-kind")] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created_after=2025-10-01T05:00:00Z", range(5, 12)),
        ("created_after=2025-10-01T05:00:01Z", range(6, 12)),
        ("created_after=2025-10-01T05:00:00", range(5, 12)),
        ("created_after=2025-10-01T07:00:00%2B02:00", range(5, 12)),
        ("created_after=2025-10-01T00:00:00-05:00", range(5, 12)),
        ("created_before=2025-10-01T05:00:01Z", range(6)),
        ("created_before=2025-10-01T05:00:00Z", range(5)),
        ("created_before=2025-10-01T07:00:00%2B02:00", range(5)),
        ("created_after=2025-10-01T03:00:00Z&created_before=2025-10-01T05:00:00Z", range(3, 5)),
        ("created_after=2025-10-01", range(12)),
        ("created_before=2025-10-01", range(0)),
        ("created_after=2025-10-02", range(0)),
        ("created_after=2025-10-01T05:00:00.999998Z", range(5, 12)),
    ],
)
def test_it_picks_by_time(query, expected, path, see):
    MAKERS[path](12)
    everything = see(path, "?ordering=created_at")
    assert see(path, f"?ordering=created_at&{query}") == [everything[number] for number in expected]


# ── many rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_streams_many_rows_as_one_valid_array(path, api, root):
    MAKERS[path](MANY)
    answer = api(root).get(path)
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Type"] == "application/json"
    rows = json.loads(content(answer))
    assert len(rows) == len({row[NAMES[path]] for row in rows}) == MANY


@pytest.mark.parametrize("count", [999, 1000, 1001, 2000])
def test_it_is_valid_at_the_edges_of_its_chunks(count, see):
    MAKERS["/v1/servers"](count)
    assert see("/v1/servers", "?ordering=hostname") == [f"web-{number:06}" for number in range(count)]


@pytest.mark.parametrize("query", ["", "?page=1&per_page=2", "?ordering=-created_at&workspace=production"])
def test_it_needs_as_many_queries_for_many_rows_as_for_few(query, path, api, root):
    caller, needed = api(root), []
    for count in (3, MANY):
        MODELS[path].objects.all().delete()
        MAKERS[path](count)
        with CaptureQueriesContext(connection) as queries:
            content(caller.get(path + query))
        needed.append(len(queries))
    assert needed[0] <= needed[1] <= needed[0] + 1  # keys are looked up first
    assert needed[1] <= 4 + ("workspace=" in query)  # the name is looked up first


def test_it_needs_memory_for_a_chunk_only(api, root):
    MAKERS["/v1/servers"](12_000)
    peaks = []
    for _ in range(3):  # other threads of this process may need memory meanwhile
        answer = api(root).get("/v1/servers")
        tracemalloc.start()
        size = sum(map(len, answer.streaming_content))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert size > 1_900_000
    assert min(peaks) < size / 2
