"""Pages of operations in the order of their last change, whose time the database writes."""

from uuid import UUID

import pytest

from apps.operations.models import Operation
from apps.system.sql_time import Now
from tests.system.lists import make_operations, moment, walk

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted_up_to_five(monkeypatch):
    monkeypatch.setattr("apps.system.api.pagination.MAX_COUNTED", 5)
    monkeypatch.setattr("apps.system.api.pagination.DEEP", 3)
    monkeypatch.setattr("apps.system.list_queries.FAR", 3)


@pytest.mark.parametrize("most", [2, 1000], ids=["along the index", "sorted"])
@pytest.mark.parametrize("order", ["updated_at", "-updated_at"])
def test_pages_in_the_order_of_the_last_change_are_those_of_the_whole_list(order, most, api, root, monkeypatch):
    monkeypatch.setattr("apps.system.list_queries.MAX_SORTED_NEAR", most)
    monkeypatch.setattr("apps.system.list_queries.MAX_SORTED_FAR", most)
    make_operations(30)
    for number in range(30):
        kind = "server.delete" if number % 3 else "server.create"
        Operation.objects.filter(pk=UUID(int=number)).update(kind=kind, updated_at=moment(number * 7 % 20))
    caller, query = api(root), f"/v1/operations?ordering={order}&kind=server.delete"
    everything = [row["id"] for row in caller.get(query).json()]
    assert len(everything) == 20
    assert walk(caller, f"{query}&page=1&per_page=3", "id") == everything
    for page in range(1, 9):
        rows = [row["id"] for row in caller.get(f"{query}&page={page}&per_page=3").json()]
        assert rows == everything[(page - 1) * 3 : page * 3]


@pytest.mark.parametrize("order", ["updated_at", "-updated_at"])
def test_a_page_does_not_begin_with_the_row_that_the_one_before_ends_with(order, api, root):
    rows = make_operations(12)
    for row in rows:  # as a worker does
        Operation.objects.filter(pk=row.pk).update(updated_at=Now())
    found = walk(api(root), f"/v1/operations?page=1&per_page=2&ordering={order}", "id")
    assert sorted(found) == [str(row.pk) for row in rows]
