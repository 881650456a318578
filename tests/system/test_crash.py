import logging

import pytest
from rest_framework.test import APIClient

from tests.refusals import refused
from tests.system.crashing_urls import CRASHES, SECRET

STATUS = {
    "bug": 500,
    "recursion": 500,
    "integrity": 500,
    "gone": 500,
    "away": 503,
    "broken": 503,
    "missing": 404,
    "denied": 403,
    "suspicious": 400,
}


@pytest.fixture(params=[True, False], ids=["debug", "no debug"])
def client(request, settings):
    settings.ROOT_URLCONF = "tests.system.crashing_urls"
    settings.DEBUG = request.param
    return APIClient(raise_request_exception=False)


@pytest.mark.parametrize("name", CRASHES)
def test_it_answers_a_crash_without_its_text(name, client, caplog):
    for answer in (client.get(f"/v1/crash/{name}"), client.post(f"/v1/crash/{name}", {"a": 1})):
        refused(answer, STATUS[name])
        assert SECRET not in str(answer.content) + str(answer.headers)
    assert client.head(f"/v1/crash/{name}").status_code == STATUS[name]


def test_it_logs_a_crash_with_its_traceback(client, caplog):
    with caplog.at_level(logging.ERROR):
        client.get("/v1/crash/bug")
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.name == "apps.system.api.errors"
    assert record.exc_info[1] is CRASHES["bug"]


def test_it_answers_a_crash_outside_the_api_kernel(client, settings):
    settings.DEBUG = False
    answer = client.get("/v1/plain")
    refused(answer, 500, "INTERNAL_ERROR")
    assert SECRET not in str(answer.content)
