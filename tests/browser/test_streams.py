"""The log of an operation in a browser without an event stream: nothing is missing, and it is live again later."""

import http.client

import pytest

from tests.browser.serving import BROWSER, log_in, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine"),
]


def numbers(page):
    return [int(text) for text in page.locator("#c-log-lines .c-seq").all_inner_texts()]


WEB_PROCESSES = 2


def hold_streams(address, context):
    """Take the one stream of each web process; a connection comes to any of them."""
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in context.cookies())
    held = []
    for _ in range(200):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
        connection.request("GET", "/admin/events", headers={"Cookie": cookies})
        answer = connection.getresponse()
        if answer.status == 200:
            held.append((answer, connection))
        else:
            connection.close()
        if len(held) == WEB_PROCESSES:
            return held
    raise AssertionError(f"only {len(held)} streams were opened")


def test_a_log_goes_on_without_a_stream_and_is_live_once_there_is_one(chromium, tmp_path):
    with serving(tmp_path, STREAMS_PER_USER="1") as address:
        context = chromium.new_context(base_url=address, reduced_motion="reduce")
        try:
            page = context.new_page()
            page.set_default_timeout(60_000)
            log_in(page, "operator")
            held = hold_streams(address, context)
            page.goto("/admin/servers/server/add/")
            page.get_by_label("Hostname", exact=True).fill("slow-01")
            page.get_by_role("button", name="Create").click()
            page.wait_for_url("**/operations/operation/**")
            page.get_by_text("live view paused").wait_for()
            page.locator("#c-operation .badge-completed").wait_for()
            whole = (
                page.request.get(page.get_by_role("link", name="Download").get_attribute("href")).text().splitlines()
            )
            page.wait_for_function(f"document.querySelectorAll('#c-log-lines li').length === {len(whole)}")
            page.get_by_text("live view paused").wait_for()
            seen = numbers(page)
            for answer, connection in held:
                answer.close()
                connection.close()
            page.get_by_text("complete", exact=True).wait_for()
            assert numbers(page) == seen == list(range(1, len(seen) + 1))
        finally:
            context.close()
