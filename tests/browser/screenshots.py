"""Make the pictures of docs/console.md anew: `python -m tests.browser.screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.serving import BROWSER, ROOT, log_in, serving

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}


def main():
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_context(base_url=address, viewport=SIZE, reduced_motion="reduce").new_page()
        log_in(page, "admin")
        create(page, "web-[01-04]", "create")
        create(page, "db-01")
        page.goto("/admin/servers/server/add/")
        page.get_by_label("Hostname", exact=True).fill("batch-01")
        page.get_by_role("button", name="Create").click()
        page.locator("#c-log-lines li").nth(1).wait_for()
        take(page, "operation")
        page.get_by_text("complete", exact=True).wait_for()
        install(page)
        workflow(page)
        page.goto("/admin/servers/server/")
        take(page, "servers")
        page.get_by_role("link", name="web-01").first.click()
        take(page, "server")
        page.goto("/admin/")
        take(page, "dashboard")
        dark = browser.new_context(base_url=address, viewport={"width": 420, "height": 860}, color_scheme="dark")
        phone = dark.new_page()
        log_in(phone, "operator")
        take(phone, "phone")
        browser.close()


def take(page, name):
    """Keep a picture, small."""
    page.wait_for_timeout(600)
    page.screenshot(path=IMAGES / f"console-{name}.jpg", type="jpeg", quality=72)


def create(page, names, picture=""):
    """Create servers, and show what the check says of it."""
    page.goto("/admin/servers/server/add/")
    page.get_by_label("Hostname").fill(names)
    page.get_by_label("Tags").fill("web, production")
    page.get_by_role("button", name="Check").click()
    page.locator("#c-checks").get_by_text("would be created").first.wait_for()
    page.wait_for_selector("#c-checks [data-waiting=no]")
    if picture:
        page.locator("#c-checks").scroll_into_view_if_needed()
        take(page, picture)
    page.get_by_role("button", name="Do it").click()
    page.wait_for_load_state("load")


def install(page):
    """Install Redis on two servers, by the catalog."""
    page.goto("/admin/taskservs/taskserv/add/")
    take(page, "catalog")
    page.locator("a.c-choice[href*='name=redis']").click()
    page.get_by_label("web-01").check()
    page.get_by_label("web-02").check()
    take(page, "install")
    page.get_by_role("button", name="Install").click()
    page.wait_for_url("**/operations/operation/**")
    page.get_by_text("complete", exact=True).wait_for()
    page.locator("#c-cards").get_by_role("link", name="redis").first.click()
    take(page, "taskserv")


def workflow(page):
    """Run a workflow, previewed first."""
    page.goto("/admin/workflows/workflow/add/?type=cluster_create")
    page.get_by_label("Cluster name").fill("shop")
    page.get_by_label("Node count").fill("3")
    page.get_by_label("Taskserv", exact=True).fill("nginx")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Run exactly this").scroll_into_view_if_needed()
    take(page, "preview")
    page.get_by_role("button", name="Run exactly this").click()
    page.wait_for_url("**/workflows/workflow/**/change/")
    page.locator("svg text", has_text="running").first.wait_for()
    take(page, "workflow")


if __name__ == "__main__":
    main()
