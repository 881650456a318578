from datetime import UTC, datetime, timedelta

import pytest

from apps.workspaces.models import Workspace


@pytest.fixture
def last_used(api, alice):
    def read(name="production"):
        [row] = [row for row in api(alice).get("/v1/workspaces").json() if row["name"] == name]
        return row["last_used"]

    return read


def test_it_is_null_before_the_first_operation(workspace, last_used):
    assert last_used() is None


def test_it_is_the_time_of_the_last_operation(api, alice, body, workspace, last_used):
    Workspace.objects.create(name="staging", path="/staging")
    Workspace.objects.update(last_used_at=None)
    operation = api(alice).post("/v1/servers/create", body).json()
    asked = datetime.fromisoformat(operation["created_at"])
    assert abs(datetime.fromisoformat(last_used()) - asked) <= timedelta(seconds=1)
    assert last_used("staging") is None


def test_it_moves_with_each_operation(api, alice, body, workspace, last_used):
    api(alice).post("/v1/servers/create", body)
    Workspace.objects.update(last_used_at=datetime(2025, 10, 6, 12, tzinfo=UTC))
    api(alice).post("/v1/servers/create", body | {"hostname": "web-02"})
    assert last_used() > "2025-10-06T12:00:00Z"


def test_it_stays_when_a_request_is_refused_or_only_reads(api, alice, bob, body, workspace, last_used):
    Workspace.objects.update(last_used_at=None)
    for answer in (
        api(alice).post("/v1/servers/create", body | {"plan": "none"}),
        api(alice).post("/v1/servers/create", body | {"plan": 5}),
        api(bob).post("/v1/servers/create", body),
        api(alice).get("/v1/servers?workspace=production"),
    ):
        assert answer.status_code in (200, 400, 403)
    assert last_used() is None
