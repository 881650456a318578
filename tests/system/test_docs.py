"""The API's documentation pages need nothing from the internet."""

import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest
from django.test import Client

from apps.system.api.fields import Input
from apps.system.api.schema_views import schema_document
from tests.refusals import refused


class Names(HTMLParser):
    """Collects every address that a page names."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "action", "data", "poster")]


@pytest.fixture
def page(db):
    answer = Client().get("/v1/docs")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.content.decode()


def test_it_names_nothing_outside(page):
    assert re.findall(r"""(?:https?:)?//[\w.-]+\.\w+|@import|url\(""", page) == []


def test_it_names_assets_that_are_served(page):
    names = Names()
    names.feed(page)
    assets = [name for name in names.found if name.startswith("/static/")]
    assert [name for name in names.found if name not in assets] == ["/v1/docs?script=yes"]
    assert {name.rpartition(".")[2] for name in assets} == {"js", "css", "svg"}
    for asset in assets:
        answer = Client().get(asset)
        assert answer.status_code == 200, asset
        assert sum(map(len, answer.streaming_content)) > 100
        answer.close()


def test_it_reads_the_schema_of_this_service(page):
    script = Client().get("/v1/docs?script=yes")
    assert script["Content-Type"].startswith("application/javascript")
    text = script.content.decode()
    [address] = set(re.findall(r'url: "([^"]+)"', text))
    assert address.replace("\\u002D", "-") == "/v1/schema" and '"validatorUrl": null' in text
    schema = Client().get(address).json()
    assert schema["openapi"].startswith("3.")
    assert schema["info"]["version"] == "0.1.0"


def test_the_schema_is_made_once_however_many_ask_for_it_at_once(db):
    """Anybody may ask, and it takes half a second of a core."""
    schema_document.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Client().get("/v1/schema"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert schema_document.cache_info().misses == 1


def test_it_answers_errors_in_json_all_the_same(db):
    for path in ("/v1/docs", "/v1/schema"):
        refused(Client().post(path), 405, "METHOD_NOT_ALLOWED")
        refused(Client().get(path + "?format=yaml"), 400, "VALIDATION_ERROR", field="format")


def test_it_describes_every_operation_parameter_and_field(db):
    schema = Client().get("/v1/schema").json()
    operations = [(f"{method} {path}", each) for path, all in schema["paths"].items() for method, each in all.items()]
    parameters = [(f"{name} {each['name']}", each) for name, one in operations for each in one.get("parameters", ())]
    shapes = schema["components"]["schemas"].items()
    fields = [(f"{name}.{key}", field) for name, shape in shapes for key, field in shape.get("properties", {}).items()]
    assert len(operations) > 60 and len(parameters) > 100 and len(fields) > 300
    assert [name for name, each in operations if not each.get("summary", "").strip()] == []
    assert [name for name, each in parameters + fields if not each.get("description", "").strip()] == []


def test_it_gives_an_example_of_every_request(db):
    shapes = Client().get("/v1/schema").json()["components"]["schemas"]
    requests = {name: shape["example"] for name, shape in shapes.items() if name.endswith("Request")}
    known = {f"{prefix}{each.__name__}Request": each for each in inputs(Input) for prefix in ("", "Patched")}
    assert len(requests) > 20
    for name, example in requests.items():
        assert known[name](data=example).is_valid(), name


def inputs(shape):
    """Return all shapes of requests that descend from one."""
    return [each for child in shape.__subclasses__() for each in (child, *inputs(child))]


def test_its_examples_are_accepted(root, api, account):
    schema, client = Client().get("/v1/schema").json(), api(root)
    paths = ["/v1/workspaces/create", "/v1/freeze-windows", "/v1/schedules", "/v1/servers/create", "/v1/servers"]
    paths += ["/v1/workflows/definitions", "/v1/workflows", "/v1/workflows/submit"]
    for path in paths:
        body = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        answer = client.post(path, schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]["example"])
        assert answer.status_code == 200, (path, answer.content)


def test_the_schema_names_the_refusals_that_only_some_answer():
    paths = Client().get("/v1/schema").json()["paths"]
    assert "429" in paths["/v1/auth/login"]["post"]["responses"]
    assert "409" in paths["/v1/taskservs/{id}/credentials"]["get"]["responses"]
    assert {"503", "404"} <= set(paths["/v1/workflows/{id}/graph.svg"]["get"]["responses"])
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert ("408" in operation["responses"]) == (method != "get"), path
