"""What an access token is good for, and when it no longer is."""

import base64
import json

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from apps.accounts.models import TokenFamily
from tests.conftest import PASSWORD
from tests.refusals import refused

YESTERDAY, FAR = 1_700_000_000, 4_000_000_000


@pytest.fixture
def tokens(api, bob):
    return api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()


@pytest.fixture
def ask(api):
    return lambda token, path="/v1/servers": api().get(path, HTTP_AUTHORIZATION=f"Bearer {token}")


@pytest.fixture
def claims(tokens):
    return jwt.decode(tokens["token"], options={"verify_signature": False})


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_it_does_not_take_a_refresh_token(tokens, ask):
    refused(ask(tokens["refresh_token"]), 401, "UNAUTHORIZED")


def test_it_is_ours(claims, ask):
    """What the forged ones below differ from."""
    assert ask(jwt.encode(claims, settings.SECRET_KEY, "HS256")).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"exp": YESTERDAY},
        {"exp": None},
        {"exp": "tomorrow"},
        {"token_type": "refresh"},
        {"token_type": None},
        {"user_id": None},
        {"user_id": "bob"},
        {"user_id": [1]},
        {"user_id": -1},
        {"family": None},
        {"family": "x"},
        {"family": 5},
        {"family": "550e8400-e29b-41d4-a716-446655440000"},
        {"mark": None},
        {"mark": ""},
        {"mark": "é"},
        {"jti": None},
        {"jti": "x"},
        {"nbf": FAR},
        {"iat": FAR},
    ],
    ids=str,
)
def test_it_is_refused_with_any_claim_amiss(change, claims, ask):
    forged = {name: value for name, value in (claims | change).items() if value is not None}
    refused(ask(jwt.encode(forged, settings.SECRET_KEY, "HS256")), 401, "UNAUTHORIZED")


def test_a_token_with_another_users_id_is_refused(claims, ask, alice):
    refused(ask(jwt.encode(claims | {"user_id": alice.pk}, settings.SECRET_KEY, "HS256")), 401)


def test_it_is_refused_under_another_key(claims, ask):
    refused(ask(jwt.encode(claims, "another-key-that-is-long-enough-for-hs256-signing", "HS256")), 401)
    refused(ask(jwt.encode(claims, settings.SECRET_KEY * 2, "HS512")), 401)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, [], {}, "HS384", "RS256", ["HS256"]])
def test_it_is_refused_under_another_algorithm(algorithm, claims, ask):
    signature = jwt.encode(claims, settings.SECRET_KEY, "HS256").rpartition(".")[2]
    for signed in ("", signature):
        refused(ask(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}.{signed}"), 401)


@pytest.mark.parametrize("header", [[], "x", None, {}, {"alg": "HS256", "crit": ["x"]}, {"alg": "HS256", "kid": 5}])
def test_it_is_refused_under_a_broken_header(header, claims, ask):
    refused(ask(f"{part(header)}.{part(claims)}.AAAA"), 401)


def test_it_is_refused_when_anything_in_it_was_changed(tokens, ask):
    head, claims, signature = tokens["token"].split(".")
    for forged in (
        "{0}.{1}",
        "{0}.{1}.",
        "{0}.{1}.{2}AAAA",
        "{0}.{2}.{1}",
        "{1}.{1}.{2}",
        "{0}.{1}.{2}.x",
        "{0}.{1}.{2} x",
    ):
        refused(ask(forged.format(head, claims, signature)), 401)


# ── dead at once ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_dies_with_the_users_activity(tokens, ask, bob):
    bob.is_active = False
    bob.save()
    refused(ask(tokens["token"]), 401)


def test_it_dies_with_the_password(tokens, ask, bob):
    bob.set_password("another-good-passphrase")
    bob.save()
    refused(ask(tokens["token"]), 401)


def test_it_dies_with_the_user(tokens, ask, bob):
    bob.delete()
    refused(ask(tokens["token"]), 401)


def test_it_dies_with_its_family(tokens, ask, bob):
    TokenFamily.objects.filter(user=bob).update(expires_at=timezone.now())
    refused(ask(tokens["token"]), 401)


# ── permissions count as they are now ─────────────────────────────────────────────────────────────────────────────────
def test_it_does_what_the_user_may_do_at_this_moment(tokens, ask, bob):
    refused(ask(tokens["token"], "/v1/metrics"), 403)
    permission = Permission.objects.get(codename="system_metrics")
    bob.user_permissions.add(permission)
    assert ask(tokens["token"], "/v1/metrics").status_code == 200
    bob.user_permissions.remove(permission)
    refused(ask(tokens["token"], "/v1/metrics"), 403)
    bob.groups.set(Group.objects.filter(name="operator"))
    assert ask(tokens["token"], "/v1/metrics").status_code == 200
    bob.groups.clear()
    refused(ask(tokens["token"]), 403)
    bob.is_superuser = True
    bob.save()
    assert ask(tokens["token"], "/v1/metrics").status_code == 200


def test_it_costs_one_query_to_know_the_caller(tokens, ask, django_assert_num_queries):
    with django_assert_num_queries(1):
        refused(ask(tokens["token"], "/v1/metrics"), 403)
