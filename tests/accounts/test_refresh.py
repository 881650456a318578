import pytest

from tests.conftest import PASSWORD
from tests.refusals import refused


@pytest.fixture
def tokens(api, bob):
    return api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()


@pytest.fixture
def refresh(api):
    return lambda token: api().post("/v1/auth/refresh", {"refresh_token": token})


@pytest.fixture
def opens(api):
    return lambda token: api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200


def test_it_trades_the_token_for_new_ones(tokens, refresh, opens):
    answer = refresh(tokens["refresh_token"])
    assert answer.status_code == 200
    fresh = answer.json()
    assert list(fresh) == ["token", "refresh_token", "expires_in"]
    assert fresh["expires_in"] == 86400
    assert len({fresh["token"], fresh["refresh_token"], tokens["token"], tokens["refresh_token"]}) == 4
    assert opens(fresh["token"]) and opens(tokens["token"])


def test_it_can_be_done_again_and_again(tokens, refresh, opens):
    for _ in range(5):
        tokens = refresh(tokens["refresh_token"]).json()
    assert opens(tokens["token"])


def test_it_kills_the_whole_family_when_a_dead_token_comes_back(tokens, refresh, opens):
    second = refresh(tokens["refresh_token"]).json()
    refused(refresh(tokens["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")
    refused(refresh(second["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")
    assert not opens(tokens["token"])
    assert not opens(second["token"])


def test_it_leaves_the_users_other_families_alone(api, tokens, refresh, opens):
    other = api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()
    refresh(tokens["refresh_token"])
    refused(refresh(tokens["refresh_token"]), 401)
    assert opens(other["token"])
    assert refresh(other["refresh_token"]).status_code == 200


def test_it_does_not_take_an_access_token(tokens, refresh, opens):
    refused(refresh(tokens["token"]), 401, "INVALID_REFRESH_TOKEN")
    assert opens(tokens["token"])
    assert refresh(tokens["refresh_token"]).status_code == 200


def test_it_refuses_a_deactivated_user(tokens, refresh, bob):
    bob.is_active = False
    bob.save()
    refused(refresh(tokens["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")


def test_it_refuses_after_a_changed_password(tokens, refresh, bob):
    bob.set_password("another-good-passphrase")
    bob.save()
    refused(refresh(tokens["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")


def test_it_refuses_when_the_user_is_gone(tokens, refresh, bob):
    bob.delete()
    refused(refresh(tokens["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "....", "e30.e30.", "Bearer x", "é" * 100, "." * 4000, "[" * 4000])
def test_it_refuses_garbage(garbage, refresh, db):
    refused(refresh(garbage), 401, "INVALID_REFRESH_TOKEN")


def test_it_names_a_missing_token(api, db):
    assert list(refused(api().post("/v1/auth/refresh", {}), 400)["details"]) == ["refresh_token"]
