import time

import jwt
import pytest

from tests.conftest import PASSWORD
from tests.refusals import refused

LIMIT = 3


@pytest.fixture(autouse=True)
def few_attempts(settings):
    settings.AXES_FAILURE_LIMIT = LIMIT


@pytest.fixture
def log_in(api):
    def send(username, password=PASSWORD, address="192.0.2.1", **body):
        return api().post("/v1/auth/login", {"username": username, "password": password} | body, REMOTE_ADDR=address)

    return send


def test_it_answers_two_json_web_tokens(log_in, alice):
    answer = log_in("alice")
    assert answer.status_code == 200
    tokens = answer.json()
    assert list(tokens) == ["token", "refresh_token", "expires_in"]
    assert tokens["expires_in"] == 86400
    access, refresh = (
        jwt.decode(tokens[name], options={"verify_signature": False}) for name in ("token", "refresh_token")
    )
    assert access["exp"] - access["iat"] == 86400
    assert abs(access["iat"] - time.time()) < 60
    assert refresh["exp"] > access["exp"]


def test_it_opens_what_the_role_opens(log_in, api, bob):
    token = log_in("bob").json()["token"]
    assert api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200
    assert api().get("/v1/servers", HTTP_AUTHORIZATION=f"bearer {token}").status_code == 200
    refused(api().get("/v1/metrics", HTTP_AUTHORIZATION=f"Bearer {token}"), 403)


def test_it_notes_the_time(log_in, alice):
    log_in("alice")
    alice.refresh_from_db()
    assert alice.last_login is not None


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(log_in, alice):
    wrong, unknown = log_in("alice", "wrong"), log_in("nobody", "wrong")
    assert refused(wrong, 401, "INVALID_CREDENTIALS") == refused(unknown, 401, "INVALID_CREDENTIALS")
    assert set(wrong.headers) == set(unknown.headers)


def test_it_hashes_once_whether_the_user_is_known_or_not(log_in, alice, settings):
    """Time is spent alike: a slow hash is asked for in both cases."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    alice.set_password(PASSWORD)
    alice.save()
    spent = []
    for username in ("alice", "nobody"):
        begun = time.process_time()
        refused(log_in(username, "wrong"), 401)
        spent.append(time.process_time() - begun)
    assert max(spent) < 3 * min(spent)


def test_it_refuses_a_deactivated_user_like_a_wrong_password(log_in, alice):
    alice.is_active = False
    alice.save()
    right, wrong = log_in("alice"), log_in("alice", "wrong")
    assert refused(right, 401, "INVALID_CREDENTIALS") == refused(wrong, 401)


@pytest.mark.parametrize("username", ["Alice", "alice ", " alice", "ａlice"])
def test_it_takes_the_name_as_it_is(username, log_in, alice):
    refused(log_in(username), 401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize("missing", ["username", "password"])
def test_it_names_what_is_missing(missing, api, db):
    body = {"username": "alice", "password": "x"}
    del body[missing]
    assert list(refused(api().post("/v1/auth/login", body), 400, "VALIDATION_ERROR")["details"]) == [missing]


# ── too many failures ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def locked(log_in, alice):
    for _ in range(LIMIT - 1):
        refused(log_in("alice", "wrong"), 401)
    log_in("alice", "wrong")


def test_it_makes_a_user_wait_after_too_many_failures(locked, log_in, settings):
    answer = log_in("alice")
    refused(answer, 429, "RATE_LIMITED")
    assert 0 < int(answer["Retry-After"]) <= settings.AXES_COOLOFF_TIME.total_seconds()


def test_it_makes_an_unknown_user_wait_alike(log_in, db):
    answers = [log_in("nobody", "wrong") for _ in range(LIMIT + 1)]
    assert [answer.status_code for answer in answers][: LIMIT - 1] == [401] * (LIMIT - 1)
    refused(answers[-1], 429, "RATE_LIMITED")
    assert "Retry-After" in answers[-1]


def test_it_lets_others_in_meanwhile(locked, log_in, bob):
    assert log_in("bob").status_code == 200
    assert log_in("alice", address="192.0.2.2").status_code == 200
    refused(log_in("alice"), 429)


def test_it_lets_the_user_in_when_the_wait_is_over(locked, log_in, settings):
    from datetime import timedelta

    settings.AXES_COOLOFF_TIME = timedelta(milliseconds=1)
    time.sleep(0.01)
    assert log_in("alice").status_code == 200


def test_it_leaves_tokens_alone_while_logging_in_is_closed(api, alice, log_in):
    token = log_in("alice").json()["token"]
    for _ in range(LIMIT + 1):
        log_in("alice", "wrong")
    assert api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200


def test_it_counts_from_nothing_after_a_success(log_in, alice):
    for _ in range(3):
        for _ in range(LIMIT - 1):
            refused(log_in("alice", "wrong"), 401)
        assert log_in("alice").status_code == 200
