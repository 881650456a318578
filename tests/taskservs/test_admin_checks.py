"""What a check has found, as the console shows it."""

from apps.operations.models import Operation
from tests.console import an_operation, browser, page, seeded

DIFF = "--- /etc/redis/redis.conf\n+++ /etc/redis/redis.conf\n@@ -1 +1 @@\n-port 6379\n+port <6380>"


def shown(operation):
    html = browser(seeded("viv", "viewer")).get(page(operation)).content.decode()
    return html.partition('id="c-changes"')[2].partition('id="c-log"')[0]


def test_it_lists_the_changes_of_each_host_with_their_differences(workspace, web_01, web_02):
    change = {"server": "web-01", "taskserv": "redis", "task": "Write its configuration", "action": "template"}
    change["paths"] = ["/etc/redis/redis.conf"]
    unknown = {
        "server": "web-01",
        "taskserv": "redis",
        "task": "",
        "unknown": "cannot know before redis is installed: no",
    }
    operation = an_operation(
        workspace,
        kind="taskserv.configure",
        status="completed",
        check_mode=True,
        params={"plan": [{"hosts": [web_01.pk, web_02.pk]}]},
        result={"check_mode": True, "changes": [{**change, "diff": DIFF}, unknown]},
    )
    html = shown(operation)
    assert "web-01 <" in html and "2 changes" in html and "Write its configuration" in html
    assert "redis, template: /etc/redis/redis.conf" in html
    assert '<span class="c-diff-removed">-port 6379</span>' in html
    assert '<span class="c-diff-added">+port &lt;6380&gt;</span>' in html
    assert '<span class="c-diff-file">--- /etc/redis/redis.conf</span>' in html
    assert "cannot know before redis is installed: no" in html
    assert html.count("nothing would change") == 1 and html.index("web-02") > html.index("web-01")


def test_it_lists_the_tasks_that_would_run_on_emulated_servers(ask, web_01, run_worker):
    answer = ask("redis", check_mode=True)
    run_worker()
    html = shown(Operation.objects.get(pk=answer.json()["id"]))
    assert (
        browser(seeded("olga", "operator")).get(page(Operation.objects.get())).context["title"]
        == "Install redis (check only)"
    )
    assert "these tasks would run" in html and "Install packages" in html and "web-01" in html


def test_it_shows_no_list_of_changes_for_what_was_done(install, web_01):
    install("redis")
    assert shown(Operation.objects.get(kind="taskserv.create")) == ""
