"""Taskservs in the console: the catalog, the form from the schema, configuring, verifying and removing."""

import pytest

from apps.operations.models import Operation
from apps.taskservs.models import Taskserv
from tests.console import a_server, act, browser, page, seeded, shown_messages

ADD = "/admin/taskservs/taskserv/add/"
NO_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def dev(db):
    return browser(seeded("dev", "developer"))


@pytest.fixture
def web_01(account, workspace):
    return a_server(account, workspace, ip_address="127.0.0.9")


@pytest.fixture
def redis(dev, web_01, run_worker):
    given = {"workspace": "production", "servers": ["web-01"], "option-port": "6380", "do": "yes"}
    answer = dev.post(f"{ADD}?name=redis", form(dev, **given))
    assert answer.status_code == 302, answer.context["problems"]
    run_worker()
    return Taskserv.objects.get(name="redis")


def form(client, name="redis", **changes):
    """Return what a browser sends of the form as it is shown, with changes."""
    shown = client.get(ADD, {"name": name}).context["form"]
    values = {f"option-{field}": shown[field].value() for field in shown.fields}
    return {key: value for key, value in values.items() if value not in (None, False)} | changes


def test_its_catalog_leads_to_a_form_with_a_field_for_each_option(dev, web_01):
    html = dev.get(ADD).content.decode()
    assert "?name=redis" in html and "Databases" in html
    answer = dev.get(ADD, {"name": "redis", "servers": "web-01"})
    html = answer.content.decode()
    assert 'type="password"' in html and 'name="servers" value="web-01" checked' in html
    port = answer.context["form"].fields["port"]
    assert (port.min_value, port.max_value, port.initial) == (1024, 65535, 6379)


def test_it_installs_with_what_differs_from_the_defaults(redis, web_01):
    assert (redis.status, redis.config) == ("running", {"port": 6380}) or redis.config["port"] == 6380
    assert Operation.objects.get(kind="taskserv.create").actor.username == "dev"


def test_a_check_records_nothing(dev, web_01):
    given = form(dev, workspace="production", servers=["web-01"], check="yes")
    assert dev.post(f"{ADD}?name=redis", given).status_code == 200
    assert Operation.objects.get().check_mode and not Taskserv.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [({"servers": []}, "Choose at least one server."), ({"option-port": "80"}, "greater than or equal to 1024")],
)
def test_it_says_what_is_wrong(dev, web_01, wrong, text):
    given = form(dev, workspace="production", servers=["web-01"], do="yes") | wrong
    assert text in dev.post(f"{ADD}?name=redis", given).content.decode()
    assert not Operation.objects.exists()


def test_its_page_shows_the_state_on_each_server_and_how_to_connect(dev, redis):
    html = dev.get(page(redis)).content.decode()
    for text in ("redis://127.0.0.9:6380", "redis on web-01", "Configure", "Verify"):
        assert text in html, text


def test_it_configures_what_was_changed(dev, redis, run_worker):
    address = page(redis).replace("change/", "configure/")
    shown = dev.get(address).context["form"]
    values = {f"option-{field}": shown[field].value() for field in shown.fields}
    given = {key: value for key, value in values.items() if value not in (None, False)}
    answer = dev.post(address, given | {"servers": ["web-01"], "option-port": "6390", "do": "yes"})
    assert answer.status_code == 302, answer.context["problems"]
    run_worker()
    redis.refresh_from_db()
    assert redis.config["port"] == 6390


def test_it_asks_before_it_removes_several(dev, redis, account, workspace, run_worker):
    a_server(account, workspace, "web-02", ip_address="127.0.0.10")
    dev.post(f"{ADD}?name=nginx", form(dev, "nginx", workspace="production", servers=["web-02"], do="yes"))
    run_worker()
    client, both = browser(seeded("olga", "operator")), list(Taskserv.objects.all())
    assert "will be removed from their servers" in act(client, both, "remove_taskservs").content.decode()
    assert all("Queued: " in text for text in shown_messages(act(client, both, "remove_taskservs", confirmed="yes")))
    run_worker()
    assert not Taskserv.objects.exists()


def test_one_is_removed_on_a_page_of_its_own(redis, run_worker):
    client = browser(seeded("olga", "operator"))
    answer = act(client, [redis], "remove_taskservs")
    assert answer.request["PATH_INFO"] == (address := page(redis).replace("change/", "remove/"))
    assert "its packages are removed from web-01." in answer.content.decode()
    assert f'href="{address}">Remove…</a>' in client.get(page(redis)).content.decode()
    answer = client.post(address, {"do": "yes"})
    assert answer.url == page(Operation.objects.get(kind="taskserv.delete"))
    run_worker()
    assert not Taskserv.objects.exists()


@pytest.mark.parametrize("purge", [{}, {"option-purge": "on"}], ids=["keeping its data", "with its data"])
def test_a_check_of_a_removal_lists_what_goes_and_only_that_is_done(redis, run_worker, purge):
    client, address = browser(seeded("olga", "operator")), page(redis).replace("change/", "remove/")
    answer = client.post(address, purge | {"check": "yes"})
    run_worker()
    check = Operation.objects.get(kind="taskserv.delete", check_mode=True)
    assert answer.context["check"] == check and Taskserv.objects.get().status == "running"
    html = client.get(answer.context["check_address"]).content.decode()
    assert "Remove the packages" in html and ("Remove data, logs and settings" in html) is bool(purge)
    other = {} if purge else {"option-purge": "on"}
    refused = client.post(address, other | {"do": "yes", "checked": str(check.pk)})
    assert refused.status_code == 200 and refused.context["problems"]
    done = client.post(address, purge | {"do": "yes", "checked": str(check.pk)})
    assert done.status_code == 302, done.context["problems"]
    run_worker()
    assert not Taskserv.objects.exists()


def test_removing_needs_its_own_permission(dev, redis):
    address = page(redis).replace("change/", "remove/")
    assert dev.get(address).status_code == 403 and "Remove…" not in dev.get(page(redis)).content.decode()


def test_it_is_for_those_who_may_install(web_01):
    client = browser(seeded("viv", "viewer"))
    assert client.get(ADD).status_code == 403
    assert client.post(f"{ADD}?name=redis", {"servers": "web-01"}).status_code == 403


def checked(client, address, given, run_worker):
    """Check what a form says; gives the page with the answer, and the answer."""
    answer = client.post(address, given | {"check": "yes"})
    assert answer.status_code == 200 and answer.context["check"].check_mode, answer.context["problems"]
    run_worker()
    return answer, client.get(answer.context["check_address"]).content.decode()


def test_a_check_answers_on_the_form_and_exactly_that_is_then_done(dev, web_01, run_worker):
    address, given = f"{ADD}?name=redis", form(dev, workspace="production", servers=["web-01"])
    answer, found = checked(dev, address, given | {"option-port": "6390"}, run_worker)
    assert "Do it" in answer.content.decode() and 'value="6390"' in answer.content.decode()
    assert "data-good" in found and "these tasks would run" in found and not Taskserv.objects.exists()
    proof = {"checked": str(answer.context["check"].pk), "do": "yes"}
    other = dev.post(address, given | {"option-port": "6391"} | proof)
    assert "has changed since the check" in other.content.decode() and not Taskserv.objects.exists()
    done = dev.post(address, given | {"option-port": "6390"} | proof)
    assert done.url == page(Operation.objects.get(kind="taskserv.create", check_mode=False))
    run_worker()
    assert Taskserv.objects.get().config["port"] == 6390


def test_a_check_is_its_user_s_own_and_has_to_be_completed(dev, web_01, run_worker):
    address, given = f"{ADD}?name=redis", form(dev, workspace="production", servers=["web-01"])
    check = dev.post(address, given | {"check": "yes"}).context["check"]
    for proof, text in ((str(check.pk), "The check is pending"), ("x", "no such check"), (NO_ID, "no such check")):
        assert text in dev.post(address, given | {"checked": proof, "do": "yes"}).content.decode()
    run_worker()
    olga = browser(seeded("olga", "operator"))
    assert "no such check" in olga.post(address, given | {"checked": str(check.pk), "do": "yes"}).content.decode()
    assert browser(seeded("viv", "viewer")).get(f"/admin/taskservs/taskserv/check/{check.pk}/").status_code == 403
    assert dev.get(f"/admin/taskservs/taskserv/check/{NO_ID}/").status_code == 404
    assert not Taskserv.objects.exists()


def test_a_configuration_and_an_upgrade_are_checked_and_done_on_their_forms(dev, redis, run_worker):
    Taskserv.objects.update(version="7.0")
    assert "Upgrade to 7.4" in dev.get(page(redis)).content.decode()
    for name, field, value in (("configure", "port", "6390"), ("upgrade", "version", "7.4")):
        address = page(redis).replace("change/", f"{name}/")
        shown = dev.get(address).context["form"]
        values = {f"option-{each}": shown[each].value() for each in shown.fields}
        given = {key: each for key, each in values.items() if each not in (None, False)}
        given |= {"servers": ["web-01"], f"option-{field}": value}
        answer, found = checked(dev, address, given, run_worker)
        assert "data-good" in found
        done = dev.post(address, given | {"checked": str(answer.context["check"].pk), "do": "yes"})
        assert done.status_code == 302, done.context["problems"]
        run_worker()
    redis.refresh_from_db()
    assert (redis.config["port"], redis.version) == (6390, "7.4")
    assert dev.get(page(redis).replace("change/", "upgrade/")).url == page(redis)


def test_operations_on_a_taskserv_are_done_again_with_the_same_values(dev, redis, run_worker):
    created = Operation.objects.get(kind="taskserv.create")
    Operation.objects.filter(pk=created.pk).update(status="failed", error="No network.")
    Taskserv.objects.update(status="failed")
    assert "Retry" in dev.get(page(created)).content.decode()
    assert "is queued" in shown_messages(act(dev, [created], "run_again"))[0]
    run_worker()
    redis.refresh_from_db()
    assert (redis.status, redis.config["port"]) == ("running", 6380)
    act(dev, [redis], "verify_taskservs")
    run_worker()
    verified = Operation.objects.get(kind="taskserv.verify")
    assert "Run again" in dev.get(page(verified)).content.decode()
    assert "is queued" in shown_messages(act(dev, [verified], "run_again"))[0]
    Operation.objects.filter(due_at__isnull=False).delete()
    redis.delete()
    assert "run_again" not in dev.get(page(created)).content.decode()


def test_it_says_in_words_what_a_pattern_allows(dev, web_01):
    given = form(dev, workspace="production", servers=["web-01"], check="yes")
    html = dev.post(f"{ADD}?name=redis", given | {"option-password": "short"}).content.decode()
    assert "It has 16 to 128 letters, digits, _ or -." in html and "Give 16 to 128 letters" in html
