"""Errors that any request can run into, on every route there is."""

import pytest

from apps.operations.models import Operation
from tests.refusals import refused
from tests.routes import routes

ROUTES = routes()
PATHS = sorted({route.url for route in ROUTES})
CLOSED = [route for route in ROUTES if not route.is_open]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
NOT_UTF8 = "%ED%A0%80"


def test_it_walks_the_whole_api():
    assert {"/health", "/v1/auth/login", "/v1/servers", "/v1/metrics", "/v1/schema", "/v1/docs"} <= set(PATHS)
    assert {route.path for route in ROUTES if route.is_open} == {
        "/health",
        "/health/ready",
        "/health/workers",
        "/v1/auth/login",
        "/v1/auth/refresh",
        "/v1/schema",
        "/v1/docs",
    }


# ── who asks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("route", CLOSED, ids=str)
def test_it_refuses_nobody_and_charlie(route, api, charlie):
    refused(api().generic(route.method, route.url), 401, "UNAUTHORIZED")
    if not route.view.permissions:
        return  # such as the logout, which everybody may do
    body = refused(api(charlie).generic(route.method, route.url), 403, "FORBIDDEN")
    assert route.view.permissions[route.action] in body["message"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YWxpY2U6eA==", "Token x", "Bearer \xff\xfe"]
)
def test_it_answers_any_other_authorization_with_401(header, api, alice):
    refused(api().get("/v1/servers", HTTP_AUTHORIZATION=header), 401, "UNAUTHORIZED")


# ── where ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/nothing", "/v1/servers/", "/v1//servers", "/v1/a%0Ab", "/v1/%00", "/health/", "/health/x",
     "/v1/servers/a/b/c", f"/v1/{NOT_UTF8}", "/v1/" + "x" * 3000],
)  # fmt: skip
def test_it_does_not_know_other_paths(path, debug, api, settings):
    settings.DEBUG = debug
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        refused(api().generic(method, path), 404, "NOT_FOUND")


@pytest.mark.parametrize("path", PATHS)
def test_it_knows_no_other_methods(path, api, root):
    known, caller = {route.method for route in ROUTES if route.url == path}, api(root)
    for method in METHODS:
        if method not in known:
            answer = caller.generic(method, path)
            refused(answer, 405, "METHOD_NOT_ALLOWED")
            assert known <= {name.strip() for name in answer["Allow"].split(",")} <= known | {"HEAD"}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=str)
def test_it_answers_head_like_get_without_a_body(route, api, root, charlie):
    for caller in (api(root), api(charlie), api()):
        got, headed = caller.get(route.url), caller.head(route.url)
        assert headed.status_code == got.status_code
        assert headed["Content-Type"] == got["Content-Type"]
        assert headed.getvalue() == b""


BAD_IDS = [
    "x", "srv-", "srv-ABC", "srv-a_b", "srv-" + "a" * 500, "%00", "srv-a%00", "srv-a%0A", NOT_UTF8, "%F0%9F%98%80",
    "..", "550e8400-e29b-41d4-a716-44665544000g", "550e8400e29b41d4a716446655440000",
    "urn:uuid:550e8400-e29b-41d4-a716-446655440000",
    "{550e8400-e29b-41d4-a716-446655440000}", "1_0e8400-e29b-41d4-a716-446655440000", "-1", "'; DROP TABLE servers",
]  # fmt: skip


@pytest.mark.parametrize("route", [route for route in ROUTES if "{" in route.path], ids=str)
def test_it_does_not_find_malformed_ids(route, api, root):
    caller = api(root)
    for bad in BAD_IDS:
        path = route.path.replace("{id}", bad).replace("{name}", bad)
        refused(caller.generic(route.method, path), 404, "NOT_FOUND")


# ── the query ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_it_refuses_unknown_query_parameters(route, api, root, workspace):
    caller = api(root)
    for query, name in (("unknown=1", "unknown"), ("Page=1", "Page"), ("=1", "body"), ("%00=1", "\0"), ("x", "x")):
        body = refused(caller.generic(route.method, f"{route.url}?{query}"), 400, "VALIDATION_ERROR")
        assert list(body["details"]) == [name]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=str)
def test_it_refuses_more_parameters_than_anybody_needs(route, api, root):
    refused(api(root).get(f"{route.url}?" + "a=1&" * 2000), 400, "VALIDATION_ERROR")


IMPOSSIBLE = [
    "page=0", "page=-1", "page=1.0", "page=one", "page=", "page=%D9%A1", "page=99999999999999999999", "page=1&page=2",
    "page=%001", "per_page=0", "per_page=1001", "per_page=", "per_page=1e2", "ordering=foo", "ordering=", "ordering=-",
    "ordering=--created_at", "ordering=created_at,", "ordering=password", "ordering=workspace__name", "ordering=%00",
    "created_after=nonsense", "created_after=", "created_after=2025-13-01", "created_after=2025-10-01T25:00:00",
    "created_after=0001-01-01T00:00:00%2B14:00", "created_before=9999-12-31T23:59:59-14:00", "created_before=1",
    "workspace=", "workspace=%00", "workspace=a%01b", "workspace=a&workspace=b", "workspace=a%0A",
]  # fmt: skip
LISTS = [route for route in ROUTES if hasattr(route.view, "filterset_class") and route.action == "list"]


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_it_refuses_impossible_values(route, api, root):
    caller = api(root)
    for query in IMPOSSIBLE:
        refused(caller.get(f"{route.url}?{query}"), 400, "VALIDATION_ERROR", field=query.partition("=")[0])


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *((path, f"status={word}") for path in ("servers", "operations") for word in ("foo", "RUNNING", "%00", "")),
        *(("servers", f"{name}={value}") for name in ("provider", "hostname", "tag") for value in ("", "%00", "%7F")),
        *(("operations", f"kind={value}") for value in ("", "%00", "%C2%85")),
    ],
)
def test_it_refuses_impossible_values_of_its_own_filters(path, query, api, root):
    refused(api(root).get(f"/v1/{path}?{query}"), 400, "VALIDATION_ERROR", field=query.partition("=")[0])


@pytest.mark.parametrize("value", ["-1", "x", "", "1.5", "99999999999", "%00"])
def test_it_refuses_impossible_places_in_a_log(value, api, root, workspace):
    operation = Operation.objects.create(kind="server.create", workspace=workspace)
    refused(api(root).get(f"/v1/operations/{operation.pk}/events?after={value}"), 400, field="after")


def test_it_refuses_a_host_it_does_not_serve(api, settings, db):
    settings.ALLOWED_HOSTS = ["api.example.com"]
    refused(api().get("/v1/servers", HTTP_HOST="evil.example.com"), 400, "VALIDATION_ERROR")
    refused(api().get("/v1/servers?page=1", HTTP_HOST="a b"), 400, "VALIDATION_ERROR")
    assert api().get("/health", HTTP_HOST="api.example.com").status_code == 200


def test_it_answers_json_whatever_is_accepted(api, db):
    for accepted in ("text/html", "application/xml", "*/*", "application/json;version=9", "nonsense"):
        refused(api().get("/v1/servers", HTTP_ACCEPT=accepted), 401)
        refused(api().get("/v1/nothing", HTTP_ACCEPT=accepted), 404)
