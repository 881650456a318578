"""What a request's body may not be, on every route that takes one; nothing may have been changed by it."""

import copy
import json

import pytest

from apps.operations.models import Operation
from apps.workspaces.models import Workspace
from tests.reference import endpoints
from tests.refusals import refused
from tests.routes import EXAMPLES, routes

ROUTES = [route for route in routes() if route.method != "GET"]
DOCUMENTED = [endpoint for endpoint in endpoints() if endpoint.request]
MALFORMED = {
    "cut off": b'{"name": "a"',
    "words": b"name=a",
    "single quotes": b"{'name': 'a'}",
    "trailing": b'{} {"a": 1}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "too large a number": b'{"name": 1e999}',
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a lone surrogate": b'{"name": "\\ud800"}',
    "a raw control character": b'{"name": "a\x00"}',
    "a key twice": b'{"name": "a", "name": "a"}',
    "a key twice, deeper": b'{"config": {"a": [{"b": 1, "b": 2}]}}',
    "deep": b'{"config": ' + b"[" * 200 + b"]" * 200 + b"}",
    "very deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "digits": b'{"name": ' + b"9" * 10_000 + b"x}",
}
NO_OBJECTS = [b"[]", b"[{}]", b"5", b'"text"', b"true", b"false", b"null", b"0", b'""']
OTHER_TYPES = ["text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*"]
BAD_TEXTS = ["\0", "a\0", "a\nb", "a\x1b[31m", "\x7f", "a\u0085", "", "x" * 5000]


@pytest.fixture(autouse=True)
def nothing_happens(workspace):
    yield
    assert not Operation.objects.exists()
    assert list(Workspace.objects.values_list("name", flat=True)) == ["production"]


def send(caller, route, body, content_type="application/json", **headers):
    return caller.generic(route.method, route.url, body, content_type=content_type, **headers)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_it_refuses_malformed_json(route, api, root):
    caller = api(root)
    for body in MALFORMED.values():
        refused(send(caller, route, body), 400, "PARSE_ERROR")


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_it_refuses_what_is_no_object(route, api, root):
    caller = api(root)
    for body in NO_OBJECTS:
        refused(send(caller, route, body), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_it_refuses_huge_bodies(route, api, root, settings):
    most = settings.MAX_BODY_BYTES
    refused(send(api(root), route, b" " * (most + 1)), 413, "PAYLOAD_TOO_LARGE")
    refused(send(api(root), route, b'{"x": "' + b"x" * most + b'"}'), 413, "PAYLOAD_TOO_LARGE")
    refused(send(api(root), route, b'{"x": "' + b"x" * (most - 9) + b'"}'), 400, "VALIDATION_ERROR", field="x")


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_it_refuses_other_content_types(route, api, root):
    caller = api(root)
    for content_type in OTHER_TYPES:
        refused(send(caller, route, b"{}", content_type), 415, "UNSUPPORTED_MEDIA_TYPE")


def test_it_takes_json_under_any_spelling_of_its_type(api, root):
    for number, content_type in enumerate(("application/json; charset=utf-8", "Application/JSON")):
        body = json.dumps({"name": "a", "path": f"/{number}/..", "activate": False})
        answer = api(root).generic("POST", "/v1/workspaces/create", body, content_type=content_type)
        refused(answer, 400, "VALIDATION_ERROR", field="path")


# ── the documented requests, each with one fault ──────────────────────────────────────────────────────────────────────
def places(value, place=()):
    """Return the place of every value below, the outermost first."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in children for found in [(*place, key), *places(item, (*place, key))]]


def with_fault(body, place, value):
    body = copy.deepcopy(body)
    inner = body
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return body


def at(body, place):
    for key in place:
        body = body[key]
    return body


def other_types(value):
    """Return values of every other type, those that look like the right one first."""
    alike = {
        str: [5, True],
        bool: ["true", 1, 0, "false"],
        int: ["3", 3.5, True],
        list: ["a", {"0": "a"}],
        dict: [[], "{}"],
    }
    return [
        *alike[type(value)],
        None,
        *([] if isinstance(value, dict) else [{}]),
        *([] if isinstance(value, list) else [[]]),
    ]


def refuse_each(endpoint, caller, faults):
    path = endpoint.path.replace("{id}", EXAMPLES["id"])
    for place, body in faults:
        answer = caller.generic(endpoint.method, path, json.dumps(body), content_type="application/json")
        refused(answer, 400, "VALIDATION_ERROR", field=str(place[0]))


@pytest.mark.parametrize("endpoint", DOCUMENTED, ids=str)
def test_it_refuses_other_types(endpoint, api, root, account):
    found = [(place, at(endpoint.request, place)) for place in places(endpoint.request)]
    refuse_each(
        endpoint,
        api(root),
        [(place, with_fault(endpoint.request, place, other)) for place, value in found for other in other_types(value)],
    )


@pytest.mark.parametrize("endpoint", DOCUMENTED, ids=str)
def test_it_refuses_bad_texts(endpoint, api, root, account):
    found = [place for place in places(endpoint.request) if isinstance(at(endpoint.request, place), str)]
    refuse_each(
        endpoint,
        api(root),
        [(place, with_fault(endpoint.request, place, text)) for place in found for text in BAD_TEXTS],
    )


@pytest.mark.parametrize("endpoint", DOCUMENTED, ids=str)
def test_it_refuses_unknown_fields(endpoint, api, root, account):
    names = ("chek_mode", "id", "Workspace", "", "__proto__", "non_field_errors", "é")
    for name in names:
        path = endpoint.path.replace("{id}", EXAMPLES["id"])
        answer = api(root).generic(
            endpoint.method, path, json.dumps(endpoint.request | {name: 1}), content_type="application/json"
        )
        body = refused(answer, 400, "VALIDATION_ERROR")
        assert list(body["details"]) == [name if name not in ("", "non_field_errors") else "body"]


REQUIRED = {
    "POST /v1/auth/login": {"username", "password"},
    "POST /v1/auth/refresh": {"refresh_token"},
    "POST /v1/servers/create": {"workspace", "provider", "plan", "hostname", "zone"},
    "POST /v1/taskservs/create": {"workspace", "name", "servers"},
    "POST /v1/workspaces/create": {"name", "path"},
}


@pytest.mark.parametrize("name", REQUIRED)
def test_it_names_every_missing_field(name, api, root):
    method, path = name.split()
    body = refused(api(root).generic(method, path, b"{}", content_type="application/json"), 400, "VALIDATION_ERROR")
    assert set(body["details"]) == REQUIRED[name]


def test_it_keeps_its_answer_short_however_much_is_wrong(api, db):
    nonsense = {f"{number:06}" + "x" * 200: number for number in range(4000)}
    answer = api().post("/v1/auth/login", nonsense)
    refused(answer, 400, "VALIDATION_ERROR")
    assert len(answer.content) < 10_000
