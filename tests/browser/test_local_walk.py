"""A new operator's walk in the browser: from the login to a server on this machine with redis on it, which answers."""

import json
import re
import socket

import pytest

from tests.browser.serving import BROWSER, log_in, serving
from tests.providers.clouds.local import clear, engine_settings, usable_engine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine"),
]
PASSWORD = "correct-horse-battery-staple"
PATIENCE = 300_000  # apt fetches packages


@pytest.fixture
def page(chromium, package_proxy, tmp_path):
    """A page of a service that has the container engine; what it made there is removed afterwards."""
    engine = usable_engine()
    sources = json.dumps({"proxy": package_proxy})
    with serving(tmp_path, TASKSERV_PACKAGE_SOURCES=sources, **engine_settings(engine)) as address:
        context = chromium.new_context(base_url=address, reduced_motion="reduce")
        try:
            page = context.new_page()
            page.set_default_timeout(60_000)
            yield page
        finally:
            context.close()
            clear(engine, f"console-{address.rpartition(':')[2]}")


def numbers(page):
    return [int(text) for text in page.locator("#c-log-lines .c-seq").all_inner_texts()]


def watch(page):
    """Watch the log of an operation come, without a reload, until its end; no line is missing or doubled."""
    page.wait_for_url("**/operations/operation/**")
    page.locator("#c-live.c-live-on").or_(page.get_by_text("complete", exact=True)).first.wait_for()
    page.get_by_text("complete", exact=True).wait_for(timeout=PATIENCE)
    page.locator("#c-operation .badge-completed").wait_for()
    seen = numbers(page)
    assert seen == list(range(1, len(seen) + 1))
    return len(seen)


def test_a_new_operator_walks_to_a_redis_that_answers(page):
    log_in(page, "operator")
    page.get_by_role("link", name="Create a server").click()
    page.get_by_label("Provider").select_option("local")
    page.wait_for_function("document.querySelector('#id_zone').value === 'local'")
    page.get_by_label("Hostname", exact=True).fill("cache-01")
    page.get_by_role("button", name="Create", exact=True).click()
    watch(page)
    page.locator("#c-cards").get_by_role("link", name="cache-01").first.click()
    page.locator(".badge-up").first.wait_for()
    page.get_by_role("link", name="Install a taskserv").click()
    page.get_by_label("Search the catalog").fill("redis")
    page.locator("a.c-choice[href*='name=redis']").click()
    assert page.get_by_label("cache-01").is_checked()
    page.get_by_label("Bind").fill("*")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Install", exact=True).click()
    assert watch(page) > 10
    page.locator("#c-cards").get_by_role("link", name="redis").first.click()
    page.locator(".badge-healthy").first.wait_for()
    host, port = re.search(r"redis://([\d.]+):(\d+)", page.locator("#c-tables").inner_text()).groups()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"AUTH {PASSWORD}\r\n".encode())
        assert connection.recv(100) == b"+OK\r\n"
