import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection

from apps.accounts.models import TokenFamily
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


@pytest.fixture
def no_grace(settings):
    """Let the 10 s after a token's first use be over."""
    settings.REFRESH_GRACE_SECONDS = 0


def test_it_revokes_the_token_family_when_a_used_token_is_presented(tokens, refresh, opens, no_grace):
    second = refresh(tokens["refresh_token"]).json()
    refused(refresh(tokens["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")
    refused(refresh(second["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")
    assert not opens(tokens["token"])
    assert not opens(second["token"])


def test_it_gives_the_same_successor_to_whoever_asks_twice(tokens, refresh, opens):
    first, second, third = (refresh(tokens["refresh_token"]).json() for _ in range(3))
    assert first["refresh_token"] == second["refresh_token"] == third["refresh_token"]
    assert all(opens(answer["token"]) for answer in (tokens, first, second, third))
    assert refresh(first["refresh_token"]).status_code == 200


def test_it_gives_the_same_successor_though_that_was_used_meanwhile(tokens, refresh, opens):
    first = refresh(tokens["refresh_token"]).json()
    second = refresh(first["refresh_token"]).json()
    assert refresh(tokens["refresh_token"]).json()["refresh_token"] == first["refresh_token"]
    assert refresh(first["refresh_token"]).json()["refresh_token"] == second["refresh_token"]
    assert refresh(second["refresh_token"]).status_code == 200


def test_it_counts_the_grace_from_the_first_use(tokens, refresh, opens):
    def passes(seconds):
        family = TokenFamily.objects.get()
        moved = {
            used: (to, (datetime.fromisoformat(at) - timedelta(seconds=seconds)).isoformat())
            for used, (to, at) in family.rotations.items()
        }
        TokenFamily.objects.update(rotations=moved)

    first = refresh(tokens["refresh_token"]).json()
    passes(6)
    assert refresh(tokens["refresh_token"]).status_code == 200
    passes(6)
    refused(refresh(tokens["refresh_token"]), 401, "INVALID_REFRESH_TOKEN")
    assert not opens(first["token"])


def test_it_keeps_a_bounded_record_of_a_client_that_refreshes_in_a_loop(tokens, refresh, bob):
    for _ in range(25):
        tokens = refresh(tokens["refresh_token"]).json()
    assert len(TokenFamily.objects.get().rotations) == 20


@pytest.mark.django_db(transaction=True)
def test_it_gives_one_successor_to_many_who_ask_at_once(transactional_db, tokens, refresh, opens):
    start = threading.Barrier(8)

    def ask(_):
        start.wait(timeout=20)
        try:
            return refresh(tokens["refresh_token"])
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert opens(answers[0].json()["token"])


def test_it_leaves_the_users_other_families_alone(api, tokens, refresh, opens, no_grace):
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
