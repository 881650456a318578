"""Node names differ where host names and process ids repeat: a stopping node releases its own leases only."""

import pytest

from apps.operations import services
from apps.operations.models import Operation
from apps.operations.queue import leases
from apps.operations.worker.supervisor import Worker
from tests.operations.fleet import eventually


@pytest.mark.django_db
def test_two_nodes_of_one_host_name_and_process_id_hold_their_own_leases():
    first, second = Worker(), Worker()
    assert len(first.name) <= Operation._meta.get_field("lease_owner").max_length
    for node in (first, second):
        services.submit(kind="catalog.refresh", workspace=None, actor=None, params={"account": 0})
        assert len(eventually(lambda node=node: leases.claim(owner=node.name, max_count=1), 5, "a due operation")) == 1
    assert leases.release_all(owner=first.name, count_as_crash=False) == 1
    assert list(Operation.objects.exclude(lease_owner="").values_list("lease_owner", flat=True)) == [second.name]
