"""The API's documentation pages need nothing from the internet."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

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
    assert '"validatorUrl": null' in page


def test_it_names_assets_that_are_served(page):
    names = Names()
    names.feed(page)
    assets = [name for name in names.found if name.startswith("/static/")]
    assert assets == names.found and {name.rpartition(".")[2] for name in assets} == {"js", "css", "png"}
    for asset in assets:
        answer = Client().get(asset)
        assert answer.status_code == 200, asset
        assert sum(map(len, answer.streaming_content)) > 100
        answer.close()


def test_it_reads_the_schema_of_this_service(page):
    [address] = set(re.findall(r'url: "([^"]+)"', page))
    assert address == "/v1/schema"
    schema = Client().get(address).json()
    assert schema["openapi"].startswith("3.")
    assert schema["info"]["version"] == "0.1.0"


def test_it_answers_errors_in_json_all_the_same(db):
    for path in ("/v1/docs", "/v1/schema"):
        refused(Client().post(path), 405, "METHOD_NOT_ALLOWED")
        refused(Client().get(path + "?format=yaml"), 400, "VALIDATION_ERROR", field="format")
