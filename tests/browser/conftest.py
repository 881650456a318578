"""A real server with a worker, and a real browser; both are started once for the tests of this folder.

The browser ends with them: while it runs, this thread has a running event loop, in which Django uses no database.
"""

import pytest

from tests.browser.serving import BROWSER, log_in, serving


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    """Return the address of a server."""
    with serving(tmp_path_factory.mktemp("console")) as address:
        yield address


@pytest.fixture(scope="package")
def chromium():
    """Return a browser."""
    if BROWSER is None:
        pytest.skip("there is no chromium on this machine")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, server):
    """Return a function that opens the console as a user; what goes wrong in its pages ends the test."""
    contexts, faults = [], []

    def opened(user, *, width=1400, theme="light"):
        context = chromium.new_context(
            base_url=server, viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: faults.append(asked.url) if is_foreign(asked.url, server) else None)
        log_in(page, user)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def is_foreign(address, server):
    return not address.startswith((server, "data:", "blob:", "about:"))
