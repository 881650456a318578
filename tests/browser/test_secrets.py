"""Secrets in a browser: the credentials of a taskserv, and passwords that the browser generates."""

import pytest

from tests.browser.faults import faults_of
from tests.browser.serving import BROWSER, log_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine"),
]


@pytest.fixture(scope="module")
def redis(chromium, server):
    """Return the address of a taskserv with a generated password."""
    context = chromium.new_context(base_url=server)
    page = context.new_page()
    log_in(page, "admin")
    page.goto("/admin/servers/server/add/")
    page.get_by_label("Hostname").fill("vault-01")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("complete", exact=True).wait_for()
    page.goto("/admin/taskservs/taskserv/add/?name=redis")
    page.get_by_label("vault-01").check()
    page.get_by_role("button", name="Install").click()
    page.wait_for_url("**/operations/operation/**")
    page.get_by_text("complete", exact=True).wait_for()
    page.locator("#c-cards").get_by_role("link", name="redis").first.click()
    page.wait_for_url("**/taskservs/taskserv/tsk-**")
    address = page.url.removeprefix(server)
    context.close()
    return address


def press(page, name):
    button = page.get_by_role("button", name=name, exact=True).first
    button.focus()
    page.keyboard.press("Enter")


def copied(page):
    page.context.grant_permissions(["clipboard-read"])
    return page.evaluate("navigator.clipboard.readText()")


def test_credentials_are_shown_and_copied_by_keyboard(visit, redis):
    page = visit("operator")
    page.goto(redis)
    assert page.locator("[data-copy]").count() == 0
    press(page, "Show credentials")
    page.get_by_role("heading", name="This look was recorded").wait_for()
    word = page.locator("td code").inner_text()
    assert len(word) == 32 and word not in page.url
    press(page, "Copy")
    page.get_by_role("button", name="Copied").wait_for()
    assert copied(page) == word
    page.get_by_role("link", name="Back").click()
    page.wait_for_url(f"**{redis}")
    assert "operator" in page.get_by_role("region", name="Looks at its credentials").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_of_credentials_fits_and_is_accessible(theme, visit, redis):
    page = visit("admin", theme=theme)
    page.goto(redis)
    press(page, "Show credentials")
    page.get_by_role("heading", name="This look was recorded").wait_for()
    assert faults_of(page) == []


def test_a_new_user_logs_in_with_the_generated_password(visit):
    page = visit("admin")
    page.goto("/admin/accounts/user/add/")
    page.get_by_label("Username").fill("erin")
    press(page, "Generate a password")
    first = page.locator(".c-generate code").inner_text()
    press(page, "Generate a password")
    word = page.locator(".c-generate code").inner_text()
    assert len(word) == 23 and word != first
    assert page.get_by_role("status").inner_text().startswith("Filled into both fields.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    assert copied(page) == word
    page.get_by_label("viewer").check()
    with page.expect_navigation():
        press(page, "Save")
    assert word not in page.content() and "/add/" not in page.url
    page.context.clear_cookies()
    log_in(page, "erin", word)
    assert page.request.get("/admin/accounts/user/").status == 403


def test_what_is_typed_instead_takes_the_generated_password_away(visit):
    page = visit("admin")
    page.goto("/admin/accounts/user/")
    page.get_by_role("link", name="developer", exact=True).first.click()
    page.get_by_role("link", name="Set another one").click()
    press(page, "Generate a password")
    word = page.locator(".c-generate code").inner_text()
    assert [page.locator(f"#id_password{number}").input_value() for number in (1, 2)] == [word, word]
    page.locator("#id_password2").press_sequentially("x")
    page.locator(".c-generate .c-copy").wait_for(state="hidden")
    assert word not in page.content()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_forms_with_a_generated_password_fit_and_are_accessible(theme, visit):
    page = visit("admin", theme=theme)
    for address in ("/admin/accounts/user/add/", "/admin/accounts/user/1/password/"):
        page.goto(address)
        press(page, "Generate a password")
        page.locator(".c-generate .c-copy").wait_for()
        assert faults_of(page) == [], address
