"""The console in a browser, with a real server and worker: a new operator's walk, and every page as people see it."""

import re

import pytest

from tests.browser.faults import faults_of
from tests.browser.serving import BROWSER, log_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine"),
]

ROLES = ["admin", "operator", "developer", "viewer"]
LISTS = {
    "/admin/": ROLES,
    "/admin/servers/server/": ROLES,
    "/admin/servers/orphan/": ROLES,
    "/admin/taskservs/taskserv/": ROLES,
    "/admin/operations/operation/": ROLES,
    "/admin/operations/workernode/": ROLES,
    "/admin/workflows/workflow/": ROLES,
    "/admin/workflows/schedule/": ROLES,
    "/admin/workflows/freezewindow/": ROLES,
    "/admin/workflows/workflowdefinition/": ROLES,
    "/admin/workflows/workflowdefinition/add/": ["admin", "operator"],
    "/admin/providers/plan/": ROLES,
    "/admin/providers/plan/compare/": ROLES,
    "/admin/providers/zone/": ROLES,
    "/admin/workspaces/workspace/": ROLES,
    "/admin/password_change/": ROLES,
    "/admin/servers/server/add/": ["admin", "operator"],
    "/admin/taskservs/taskserv/add/": ["admin", "operator", "developer"],
    "/admin/taskservs/taskserv/add/?name=redis": ["admin", "operator", "developer"],
    "/admin/workflows/workflow/add/": ["admin", "operator", "developer"],
    "/admin/workflows/workflow/add/?type=cluster_create": ["admin", "operator", "developer"],
    "/admin/workflows/schedule/add/": ["admin", "operator", "developer"],
    "/admin/workflows/schedule/add/?type=cluster_create": ["admin", "operator", "developer"],
    "/admin/workflows/freezewindow/add/": ["admin", "operator"],
    "/admin/providers/cloudaccount/": ["admin"],
    "/admin/providers/cloudaccount/1/change/": ["admin"],
    "/admin/providers/cloudaccount/add/": ["admin"],
    "/admin/workspaces/workspace/add/": ["admin"],
    "/admin/accounts/user/": ["admin"],
    "/admin/accounts/user/add/": ["admin"],
    "/admin/auth/group/": ["admin"],
}


@pytest.fixture(scope="module")
def made(chromium, server):
    """Return the addresses of a server and of the operation that made it, of a check, a schedule and a saved view.

    They are made in the browser by the admin, whose own the saved view is.
    """
    context = chromium.new_context(base_url=server)
    page = context.new_page()
    log_in(page, "admin")
    page.goto("/admin/servers/server/add/")
    page.get_by_label("Hostname", exact=True).fill("shown-01")
    page.get_by_role("button", name="Create").click()
    page.wait_for_url("**/operations/operation/**")
    operation = page.url.removeprefix(server)
    page.get_by_text("complete", exact=True).wait_for()
    page.locator("#c-cards").get_by_role("link", name="shown-01").first.click()
    page.wait_for_url("**/servers/server/srv-**")
    machine = page.url.removeprefix(server)
    page.get_by_role("link", name="Install a taskserv").click()
    page.locator("a.c-choice[href*='name=redis']").click()
    page.get_by_role("button", name="Check").click()
    page.locator("#c-changes").get_by_text("these tasks would run").wait_for()
    page.locator("[data-answer] .c-more a").click()
    page.wait_for_url("**/operations/operation/**")
    check = page.url.removeprefix(server)
    page.goto("/admin/workflows/schedule/add/?type=servers_create")
    page.get_by_label("Name", exact=False).first.fill("nightly")
    page.get_by_label("Times (cron)").fill("30 2 * * *")
    page.get_by_label("Hostnames").fill("night-01")
    page.get_by_role("button", name="Create the schedule").click()
    page.wait_for_url("**/workflows/schedule/**/change/")
    schedule = page.url.removeprefix(server)
    page.goto("/admin/servers/server/?status__exact=running")
    page.get_by_text("Save this view").click()
    page.get_by_label("Name", exact=True).fill("Those that run")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Those that run").wait_for()
    view = page.url.removeprefix(server)
    context.close()
    edit = schedule.replace("/change/", "/edit/")
    return {"operation": operation, "server": machine, "check": check, "schedule": schedule, "edit": edit, "view": view}


@pytest.mark.parametrize("role", ROLES)
def test_the_palette_opens_by_keyboard_and_leads_to_a_server(role, visit, made):
    page = visit(role)
    page.keyboard.press("Control+k")
    field = page.get_by_label("Search pages, servers and taskservs")
    field.wait_for()
    page.wait_for_function("document.activeElement.id === 'search-input-command'")
    page.keyboard.type("shown")
    page.locator("#command-results-list").get_by_text("shown-01").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{made['server']}")
    page.get_by_role("button", name="Search Ctrl K").click()
    field.wait_for()
    page.wait_for_function("document.activeElement.id === 'search-input-command'")
    field.blur()
    page.keyboard.press("Escape")
    field.wait_for(state="hidden")


def numbers(page):
    return [int(text) for text in page.locator("#c-log-lines .c-seq").all_inner_texts()]


def test_a_new_operator_walks_from_the_login_to_a_running_server_by_keyboard(visit):
    page = visit("operator")
    page.get_by_role("link", name="Servers", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Create servers").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/servers/server/add/")
    page.locator("#id_workspace").focus()
    for _ in range(5):  # provider, zone, image, plan, hostname
        page.keyboard.press("Tab")
    page.keyboard.type("web-01")
    page.keyboard.press("Tab")
    page.keyboard.type("web, production")
    page.locator("#c-check").focus()
    page.keyboard.press("Enter")
    answer = page.locator("#c-checks")
    answer.get_by_text("would be created at UpCloud").wait_for()
    assert re.search(r"web-01 would be created .* costs [\d.]+ EUR a month", answer.inner_text())
    page.get_by_role("button", name="Do it").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/operations/operation/**")
    assert page.title().strip().startswith("Create web-01")
    page.locator("#c-live.c-live-on").or_(page.get_by_text("complete", exact=True)).first.wait_for()
    page.reload()  # in the middle of it
    page.get_by_text("complete", exact=True).wait_for()
    page.locator("#c-operation .badge-completed").wait_for()
    seen, lines = numbers(page), page.locator("#c-log-lines .c-message").all_text_contents()
    assert seen == list(range(1, len(seen) + 1)) and len(seen) >= 2
    page.reload()
    assert page.locator("#c-log-lines .c-message").all_text_contents() == lines  # in names from the beginning
    page.locator("#c-cards").get_by_role("link", name="web-01").first.click()
    page.locator(".badge-up").first.wait_for()


def test_a_form_follows_its_provider_though_a_request_is_lost(chromium, server):
    page, lost = chromium.new_page(base_url=server), []
    log_in(page, "operator")
    page.goto("/admin/servers/server/add/")

    def lose_first(route):
        lost.append(route.request.url)
        return route.abort("internetdisconnected") if len(lost) == 1 else route.continue_()

    page.route("**/*provider=*", lose_first)
    image = page.locator("#id_image")
    image.evaluate("select => select.replaceChildren()")
    page.get_by_label("Provider").dispatch_event("change")
    image.get_by_text("The account's default").wait_for(state="attached")
    assert len(lost) == 2
    page.context.close()


def test_the_log_is_searched_filtered_and_paused(visit, made):
    page = visit("viewer")
    page.goto(made["operation"])
    everything = numbers(page)
    page.get_by_label("Search the log").fill("no line has this")
    page.get_by_text("No line matches.").wait_for()
    page.get_by_label("Search the log").fill("")
    page.wait_for_function(f"document.querySelectorAll('#c-log-lines li').length === {len(everything)}")
    page.get_by_label("Least level").select_option("error")
    page.wait_for_function("document.querySelectorAll('#c-log-lines li').length === 0")
    page.get_by_label("Least level").select_option("debug")
    page.wait_for_function(f"document.querySelectorAll('#c-log-lines li').length === {len(everything)}")
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("button", name="Resume").get_attribute("aria-pressed") == "true"
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download").click()
    assert len(begun.value.path().read_text().splitlines()) == len(everything)


def test_a_failed_workflow_is_resumed(visit):
    """The cloud refuses the second server of a cluster once; what is done is kept, and the rest is done."""
    page = visit("operator")
    run_workflow(page, "cluster_create", {"Cluster name": "shop", "Node count": "1", "Taskserv": "nginx"})
    page.locator("#c-cards .badge-completed").wait_for()
    error = {"error": {"error_code": "SERVER_RESOURCES_UNAVAILABLE", "error_message": "No capacity."}}
    rule = {"method": "POST", "path": "/server$", "body": "shop-2", "action": "respond", "status": 400, "json": error}
    assert page.request.post("/emulator/control/faults", data=rule).ok
    run_workflow(page, "cluster_scale", {"Cluster name": "shop", "Node count": "2"})
    page.get_by_role("heading", name="It failed").wait_for()
    failed = page.url
    page.locator("summary", has_text="Resume").click()
    page.get_by_role("button", name="Resume", exact=True).click()
    page.locator(
        "main a[href*='/workflows/workflow/'], .c-messages a, a[href*='/operations/operation/']"
    ).first.wait_for()
    page.goto("/admin/workflows/workflow/")
    page.locator("#result_list tbody a").first.click()
    assert page.url != failed
    page.locator("#c-cards .badge-completed").wait_for()
    page.goto("/admin/servers/server/?q=shop-2")
    page.locator(".badge-up").first.wait_for()


def run_workflow(page, type, parameters):
    """Run a workflow from its form; ends on its page."""
    page.goto(f"/admin/workflows/workflow/add/?type={type}")
    for label, value in parameters.items():
        page.get_by_label(re.compile(f"^{label}( required)?$")).fill(value)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/workflows/workflow/**/change/")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_its_pages_and_no_others(role, visit, made):
    page = visit(role)
    for address, roles in LISTS.items():
        if role in roles:
            answer = page.goto(address)
            assert answer.status == 200, address
        else:
            assert page.request.get(address).status == 403, address
    page.goto(made["server"])
    offered = page.locator("#c-page-head").inner_text()
    assert ("Reboot" in offered) == (role in ("admin", "operator"))
    assert ("Install a taskserv" in offered) == (role != "viewer")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_and_is_accessible(theme, visit, made):
    page, problems, titles = visit("admin", theme=theme), [], set()
    for address in [*LISTS, *made.values()]:
        page.goto(address)
        page.wait_for_load_state("load")
        titles.add(page.title())
        problems += [f"{address}: {fault}" for fault in faults_of(page)]
        for ask in page.locator("details.c-ask > summary").all():
            ask.click()
            problems += [f"{address}, asking {ask.inner_text()}: {fault}" for fault in faults_of(page, judge=False)]
            page.keyboard.press("Escape")
    assert problems == []
    assert len(titles) >= len(LISTS) - 2
