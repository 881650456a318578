"""What a request costs the database; BEGIN and COMMIT are counted where Django counts them."""

import pytest

from tests.system.lists import make_servers

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_shows_a_server_in_two(api, bob, django_assert_max_num_queries):
    [server] = make_servers(1)
    caller = api(bob)
    with django_assert_max_num_queries(2):
        assert caller.get(f"/v1/servers/{server.pk}/status").status_code == 200


def test_it_creates_a_server_in_eight(api, alice, body, django_assert_max_num_queries):
    caller = api(alice)
    with django_assert_max_num_queries(8):
        assert caller.post("/v1/servers/create", body).status_code == 200


@pytest.mark.parametrize("path", ["/v1/servers/srv-000000/status", "/v1/operations", "/v1/workspaces?page=1"])
def test_it_asks_nothing_for_nobody(path, api, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert api().get(path).status_code == 401


def test_it_is_healthy_in_one(api, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert api().get("/health").status_code == 200
