"""The start of a step is a prepared statement, which PostgreSQL refuses once a column that it returns has changed."""

from contextlib import closing

import pytest
from django.db import connection

from apps.operations import services, transitions
from apps.operations.queue import leases
from tests.operations.conftest import on_both


@pytest.mark.parametrize("system", on_both()[1:], indirect=True)
def test_a_step_starts_though_another_node_has_migrated(database):
    for _ in range(2):
        assert start()
    change_type("varchar(65)")
    assert start()


def start():
    services.submit(kind="catalog.refresh", workspace=None, actor=None, params={})
    [lease] = leases.claim(owner="node", max_count=1)
    return transitions.set_running(lease)


def change_type(kind):
    other = connection.copy()
    with closing(other), other.cursor() as cursor:
        cursor.execute(f"ALTER TABLE operations_operation ALTER COLUMN kind TYPE {kind}")
