"""The UpCloud driver believes no answer that it cannot read, and names each refusal."""

import logging
import threading

import pytest

from apps.providers.drivers import DRIVERS, connect
from apps.providers.drivers.base import Connection, OutcomeUnknown, ProviderError, TransientProviderError
from apps.providers.drivers.upcloud import client
from tests.providers.test_upcloud.script import (
    CUT,
    HANG,
    LOST,
    REF,
    RESET,
    SPEC,
    TOKEN,
    answer,
    opened,
    raised,
    refusal,
)


def test_it_knows_its_clouds_by_name():
    assert all(driver.title and driver.credentials is not None for driver in DRIVERS.values())


def test_it_refuses_a_cloud_without_a_driver():
    assert raised(connect, "nowhere", Connection(endpoint="", credentials={}, installation="")) == (
        ProviderError,
        "PROVIDER_INVALID",
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "api.upcloud.com",
        "ftp://a/1.3",
        "https://user:secret@a/1.3",
        "http://[",
        "http://a/?b=c",
        "http://a:99999/",
        "http://a..b/",
        "http://a b/",
        f"http://{'a' * 64}/",
    ],
)
def test_it_refuses_an_endpoint_that_cannot_be_used(endpoint):
    with pytest.raises(ProviderError) as caught, opened(endpoint):
        pass
    assert caught.value.code == "PROVIDER_INVALID" and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "credentials",
    [
        {"token": ""},
        {"token": "line\nbreak"},
        {"token": "ümlaut"},
        {"username": "a"},
        {"username": "a", "password": ""},
    ],
)
def test_it_refuses_credentials_that_cannot_be_sent(credentials):
    with pytest.raises(ProviderError) as caught, opened("http://127.0.0.1:1/1.3", **credentials):
        pass
    assert caught.value.code == "PROVIDER_AUTH" and "line" not in str(caught.value)


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        ({"token": "ucat_1"}, "Bearer ucat_1"),
        ({"username": "Aladdin", "password": "open sesame"}, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ({"token": "ucat_1", "username": "a", "password": "b"}, "Bearer ucat_1"),
    ],
)
def test_it_sends_one_scheme_of_credentials(script, credentials, sent):
    script.answers = [answer(200, {"account": {}})]
    with opened(script.endpoint + "/", **credentials) as driver:
        driver.check()
    head, _ = script.requests[0]
    assert head.startswith("GET /1.3/account HTTP/1.1") and f"Authorization: {sent}\r\n" in head


def test_it_goes_past_any_proxy_to_its_own_machine(script, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    script.answers = [answer(200, {"account": {}})]
    with opened(script.endpoint) as driver:
        driver.check()


def test_it_goes_to_the_public_api_where_no_endpoint_is_named(script, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", script.endpoint.removesuffix("/1.3"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    script.answers = [answer(403)]
    with opened("") as driver:
        assert raised(driver.check) == (TransientProviderError, "PROVIDER_UNREACHABLE")
    assert script.requests[0][0].startswith("CONNECT api.upcloud.com:443 ")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "SERVER_INVALID", (ProviderError, "PROVIDER_INVALID")),
        (400, "UNKNOWN_ATTRIBUTE", (ProviderError, "PROVIDER_INVALID")),
        (401, "AUTHENTICATION_FAILED", (ProviderError, "PROVIDER_AUTH")),
        (403, "UNAUTHORIZED_ADDRESS", (ProviderError, "PROVIDER_AUTH")),
        (402, "INSUFFICIENT_CREDITS", (ProviderError, "PROVIDER_BILLING")),
        (403, "SERVER_FORBIDDEN", (ProviderError, "PROVIDER_FORBIDDEN")),
        (403, "TRIAL_PLAN", (ProviderError, "PROVIDER_FORBIDDEN")),
        (403, "PLAN_CORE_NUMBER_ILLEGAL", (ProviderError, "PROVIDER_FORBIDDEN")),
        (403, "SERVER_CORE_LIMIT_REACHED", (ProviderError, "PROVIDER_QUOTA")),
        (404, "ZONE_NOT_FOUND", (ProviderError, "PROVIDER_INVALID")),
        (409, "SERVER_RESOURCES_UNAVAILABLE", (ProviderError, "PROVIDER_CAPACITY")),
        (409, "METADATA_DISABLED_ON_CLOUD-INIT", (ProviderError, "PROVIDER_INVALID")),
        (409, "STORAGE_TYPE_ILLEGAL", (ProviderError, "PROVIDER_INVALID")),
        (409, "SERVER_STATE_ILLEGAL", (TransientProviderError, "PROVIDER_BUSY")),
        (409, "STORAGE_STATE_ILLEGAL", (TransientProviderError, "PROVIDER_BUSY")),
        (409, "NEVER_HEARD_OF", (TransientProviderError, "PROVIDER_BUSY")),
        (403, "SERVER_CREATING_LIMIT_REACHED", (TransientProviderError, "PROVIDER_RATE_LIMITED")),
        (503, "SERVER_CREATING_LIMIT_REACHED", (TransientProviderError, "PROVIDER_RATE_LIMITED")),
        (429, "WHATEVER", (TransientProviderError, "PROVIDER_RATE_LIMITED")),
        (503, "SERVICE_ERROR", (OutcomeUnknown, "PROVIDER_ANSWER_LOST")),
    ],
)
def test_it_names_each_refusal_of_a_creation(script, scripted, status, code, expected):
    script.answers = [refusal(status, code)]
    assert raised(scripted.create, SPEC) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"error_code": "PLAN_INVALID", "error_message": ""}},
        {"error": {"code": "PLAN_INVALID", "message": ""}},
        {"type": "https://developers.upcloud.com/1.3/errors#ERROR_PLAN_INVALID", "title": "No.", "status": 400},
        {"type": "PLAN_INVALID"},
    ],
)
def test_it_reads_the_code_in_each_shape_of_error(script, scripted, body):
    script.answers = [answer(400, body, Content_Type="application/problem+json", Upcloud_Cid="01KV<b>")]
    with pytest.raises(ProviderError) as caught:
        scripted.check()
    assert caught.value.data == {
        "request": "GET /account",
        "status": 400,
        "cloud_code": "PLAN_INVALID",
        "correlation_id": "01KVb",
    }


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"error": 1, "type": []}', b'{"error": {"code": 7}}']
)
def test_it_falls_back_to_the_status_when_an_error_has_no_code(script, scripted, body):
    script.answers = [answer(401, body), answer(402, body), answer(400, body)]
    codes = [raised(scripted.check)[1] for _ in range(3)]
    assert codes == ["PROVIDER_AUTH", "PROVIDER_BILLING", "PROVIDER_INVALID"]


@pytest.mark.parametrize(
    ("sent", "after"), [("7", 7), ("0", 1), ("3600", 60), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)]
)
def test_it_waits_as_long_as_the_cloud_asks_within_reason(script, scripted, sent, after):
    script.answers = [answer(429, **({} if sent is None else {"Retry_After": sent}))]
    with pytest.raises(TransientProviderError) as caught:
        scripted.create(SPEC)
    assert (caught.value.code, caught.value.after) == ("PROVIDER_RATE_LIMITED", after)


def test_it_waits_half_a_minute_when_too_many_machines_are_being_created(script, scripted):
    script.answers = [refusal(400, "SERVER_CREATING_LIMIT_REACHED")]
    with pytest.raises(TransientProviderError) as caught:
        scripted.create(SPEC)
    assert caught.value.after == 30


@pytest.mark.parametrize("given", [RESET, CUT, HANG, b"", b"no http at all\r\n\r\n"])
def test_it_is_in_doubt_only_when_a_creation_was_sent(script, scripted, given, monkeypatch):
    monkeypatch.setattr(client, "READ_SECONDS", 0.2)
    script.answers = [given, given]
    assert raised(scripted.create, SPEC) == (OutcomeUnknown, "PROVIDER_ANSWER_LOST")
    script.over.set()
    script.over = threading.Event()
    assert raised(scripted.check) == (TransientProviderError, "PROVIDER_UNREACHABLE")


@pytest.mark.parametrize("body", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("status", [200, 202, 302, 404, 408, 500, 502, 504])
def test_it_believes_no_answer_that_it_cannot_read(script, scripted, status, body):
    script.answers = [answer(status, body)] * 3
    assert raised(scripted.create, SPEC) == (OutcomeUnknown, "PROVIDER_ANSWER_LOST")
    assert raised(scripted.get, REF) == (TransientProviderError, "PROVIDER_UNAVAILABLE")
    assert raised(scripted.find, "srv-1") == (TransientProviderError, "PROVIDER_UNAVAILABLE")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a": 1e9999999999999999999}', b'{"a": NaN}', b"\xff\xfe", b"7" * 5000]
)
def test_it_survives_json_that_breaks_parsers(script, scripted, body):
    script.answers = [answer(200, body)]
    assert raised(scripted.check) == (TransientProviderError, "PROVIDER_UNAVAILABLE")


@pytest.mark.parametrize(("largest", "seconds"), [(10, 30), (2**20, 0)])
def test_it_reads_no_answer_that_is_too_long_or_too_slow(script, scripted, largest, seconds, monkeypatch):
    monkeypatch.setattr(client, "LARGEST_ANSWER", largest)
    monkeypatch.setattr(client, "BODY_SECONDS", float(seconds))
    script.answers = [answer(200, {"account": {"username": "a"}})]
    assert raised(scripted.check) == (TransientProviderError, "PROVIDER_UNREACHABLE")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1/1.3", "http://no-such-host.invalid/1.3"])
def test_it_knows_that_nothing_was_sent_when_there_was_no_connection(endpoint, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with opened(endpoint) as driver:
        assert raised(driver.create, SPEC) == (TransientProviderError, "PROVIDER_UNREACHABLE")
        assert raised(driver.get, REF) == (TransientProviderError, "PROVIDER_UNREACHABLE")


def test_it_takes_another_machine_s_details_for_no_answer(script, scripted):
    script.answers = [answer(200, {"server": {"uuid": REF.replace("7777", "0000")}}), answer(200, {"server": {}})]
    assert raised(scripted.get, REF) == (TransientProviderError, "PROVIDER_UNAVAILABLE")
    assert raised(scripted.get, REF) == (TransientProviderError, "PROVIDER_UNAVAILABLE")


@pytest.mark.parametrize("ref", ["", ".", "../account", REF + "/stop", "00aa"])
def test_it_asks_for_no_machine_without_a_proper_id(scripted, ref):
    assert raised(scripted.get, ref) == (ProviderError, "PROVIDER_INVALID")
    assert raised(scripted.delete, ref, server_id="srv-1") == (ProviderError, "PROVIDER_INVALID")


def test_it_shows_credentials_nowhere(script, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "apps.providers")
    script.answers = [refusal(401, "AUTHENTICATION_FAILED"), refusal(400, "PLAN_INVALID"), refusal(404, TOKEN)]
    with opened(script.endpoint) as driver:
        assert raised(driver.check) == (ProviderError, "PROVIDER_AUTH")
        assert raised(driver.create, SPEC) == (ProviderError, "PROVIDER_INVALID")
        assert raised(driver.check) == (TransientProviderError, "PROVIDER_UNAVAILABLE")
        shown = f"{driver!r} {driver._client!r} {driver._client._http!r} {driver._client._http.headers!r}"
    assert "GET /account answered 401" in caplog.text
    assert TOKEN not in caplog.text + shown
