"""No token, whatever was put into it, is anything but refused: signed with our key, or not even that."""

import base64
import hmac
import json

import jwt
import pytest
from django.conf import settings
from django.utils import timezone
from hypothesis import HealthCheck, example, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from tests.conftest import PASSWORD
from tests.refusals import refused

CLAIMS = ("exp", "iat", "nbf", "jti", "user_id", "family", "mark", "token_type", "aud", "iss", "sub")
NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**400, 1e308, 1.5, -0.0])
TEXTS = st.sampled_from(["", "x", "1", "9" * 400, "\ud800", "\x00", "é" * 16, "a" * 32, "1e9", "null", "../.."])
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.integers() | st.floats() | TEXTS | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def encoded(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed(payload, header=None):
    """Sign any JSON; PyJWT itself would not sign much of it."""
    body = f"{encoded(header or {'alg': 'HS256', 'typ': 'JWT'})}.{encoded(payload)}"
    signature = hmac.digest(settings.SECRET_KEY.encode(), body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.fixture
def tokens(api, bob):
    return api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()


@pytest.fixture
def claims(tokens):
    """The claims of an access token and of a refresh token."""
    names = ("token", "refresh_token")
    return [jwt.decode(tokens[name], options={"verify_signature": False}) for name in names]


@pytest.fixture
def refuse_both(api, claims, django_db_blocker):
    """Use the changed claims as either token: both are refused."""

    def use(change, header=None):
        access, refreshing = (claims_of | change for claims_of in claims)
        answer = api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {signed(access, header)}")
        refused(answer, 401, "UNAUTHORIZED")
        answer = api().post("/v1/auth/refresh", {"refresh_token": signed(refreshing, header)})
        refused(answer, 401, "INVALID_REFRESH_TOKEN")

    return use


def test_it_signs_as_we_do(api, claims):
    """What the refused ones below differ from."""
    assert api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {signed(claims[0])}").status_code == 200


@bounds(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(["exp", "iat", "jti", "user_id", "family", "mark", "token_type"]), value=ANY)
@example(name="exp", value=10**30)
@example(name="exp", value=float("inf"))
@example(name="exp", value=float("nan"))
@example(name="exp", value=-(10**30))
@example(name="iat", value=10**400)
@example(name="iat", value=float("-inf"))
@example(name="user_id", value=2**63)
@example(name="user_id", value=10**30)
@example(name="user_id", value=True)
@example(name="user_id", value=1.0)
@example(name="user_id", value="1")
@example(name="mark", value="\ud800" * 32)
@example(name="family", value={"hex": []})
def test_it_refuses_any_other_value_of_a_claim(name, value, refuse_both, claims):
    if type(value) is int and 0 < value < timezone.now().timestamp() + 30 and name == "iat":
        return  # a time in the past, which we might have signed
    if type(value) is int and timezone.now().timestamp() < value < 2**40 and name == "exp":
        return
    refuse_both({name: value})


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [10**30, -(10**30), 1e308, float("inf"), float("nan"), "soon", [], {}, [[[]]]], ids=str
)
def test_it_refuses_absurd_times(name, value, refuse_both):
    if (name, value) == ("nbf", -(10**30)):
        return
    refuse_both({name: value})


@pytest.mark.parametrize("payload", ["[]", "null", "5", '"x"', "{", "", "[" * 3000, '{"exp":' * 500 + "1" + "}" * 500])
def test_it_refuses_a_payload_that_is_no_object(payload, api, db):
    refused(api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {signed(payload)}"), 401)
    refused(api().post("/v1/auth/refresh", {"refresh_token": signed(payload)[:4096]}), 401)


@pytest.mark.parametrize(
    "header",
    ["[" * 100_000, '{"alg":' * 50_000, '{"alg":[[]]}', '{"alg":"HS256","crit":5}', '{"alg":9}', "null", "\ud7ff"],
)
def test_it_refuses_any_header_before_a_key_is_known(header, api, db):
    text = f"{encoded(header)}.{encoded({})}.AAAA"
    refused(api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {text}"), 401)


def test_it_takes_a_token_from_a_clock_that_is_a_little_ahead(api, claims):
    now = int(timezone.now().timestamp())
    for ahead, status in ((1, 200), (20, 200), (90, 401)):
        token = signed(claims[0] | {"iat": now + ahead})
        assert api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == status, ahead


def test_it_does_not_live_longer_for_that(api, claims):
    token = signed(claims[0] | {"exp": int(timezone.now().timestamp()) - 2})
    refused(api().get("/v1/servers", HTTP_AUTHORIZATION=f"Bearer {token}"), 401)
