"""Changing options and servers of a taskserv, and upgrading it; here on emulated machines."""

import pytest

from apps.operations import registry
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.encryption import unseal
from apps.taskservs.models import AnsibleRun, Installation, Taskserv
from apps.taskservs.services import credentials
from tests.refusals import refused


def members(id):
    rows = Installation.objects.filter(taskserv=id).order_by("position")
    return [(row.server.hostname, row.role, row.position, row.state) for row in rows]


# ── the same again ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_again_changes_nothing(ask, install, web_01, web_02, run_worker):
    id = install("redis", ["web-01", "web-02"], {"port": 6380})
    rows = list(Installation.objects.values("server", "role", "version", "state"))
    answer = ask("redis", ["WEB-02", "web-01"], {"port": 6380, "version": "7.0", "maxmemory": "0"})
    run_worker()
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert (operation.status, operation.result["taskserv_id"], operation.result["changed"]) == ("completed", id, 0)
    assert list(Installation.objects.values("server", "role", "version", "state")) == rows
    assert Taskserv.objects.get().status == "running"


@pytest.mark.parametrize(("config", "verb"), [({"port": 6381}, "configure"), ({"version": "7.4"}, "upgrade")])
def test_another_config_or_version_is_refused_by_naming_what_to_call(ask, install, web_01, config, verb):
    id = install("redis")
    assert f"POST /v1/taskservs/{id}/{verb}" in refused(ask("redis", config=config), 409)["message"]


def test_another_password_is_another_config(ask, install, web_01):
    install("redis", config={"password": "a-password-of-mine-1"})
    assert ask("redis", config={"password": "a-password-of-mine-1"}).status_code == 200
    Operation.objects.all().delete()
    refused(ask("redis", config={"password": "a-password-of-mine-2"}), 409)


def test_a_failure_is_completed_by_the_next_and_only_where_it_is_not_done(
    ask, install, step, web_01, web_02, lines, run_worker
):
    ask("redis", ["web-01", "web-02"])
    run_worker()
    Installation.objects.filter(server=web_02).update(state="failed", version="", error="web-02: no room.")
    Taskserv.objects.update(status="failed")
    answer = ask("redis", ["web-01", "web-02"])
    run_worker()
    done = [line for line in lines(answer) if "nothing was installed" in line]
    assert done and not any(line.startswith("web-01") for line in done)
    assert set(Installation.objects.values_list("state", "error")) == {("running", "")}
    assert Taskserv.objects.get().status == "running"


def test_a_repeated_creation_that_is_cancelled_takes_nothing_away(ask, install, step, api, alice, web_01, run_worker):
    id = install("redis")
    answer = ask("redis")
    step(answer)
    api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")
    run_worker()
    assert (Taskserv.objects.get(pk=id).status, members(id)) == ("running", [("web-01", "primary", 0, "running")])


# ── numbers of servers ────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_refuses_a_number_of_servers_that_cannot_be(ask, machine):
    for number in range(4):
        machine(f"db-{number}")
    message = refused(ask("etcd", ["db-0", "db-1"]), 400, field="servers")["message"]
    assert message == "etcd takes an odd number of servers from 1 to 7, not 2."
    message = refused(ask("rabbitmq", ["db-0", "db-1"]), 400, field="servers")["message"]
    assert message == "rabbitmq takes 1 server, not 2."
    assert not Taskserv.objects.exists()


def test_it_refuses_emulated_servers_beside_real_ones(ask, machine, web_01):
    machine("db-01", emulated=False)
    message = refused(ask("redis", ["web-01", "db-01"]), 400, field="servers")["message"]
    assert "web-01" in message and "db-01" in message


# ── options ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_changes_the_options_that_are_named(install, changed, web_01):
    id = install("redis", config={"port": 6380, "maxmemory": "64mb"})
    result = changed(id, config={"maxmemory": "128mb", "port": None})
    assert Taskserv.objects.get().config == {"maxmemory": "128mb"}
    assert result["before"]["config"] == {"port": 6380, "maxmemory": "64mb"}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"maxmemroy": "1gb"}, "config.maxmemroy"),
        ({"maxmemroy": None}, "config.maxmemroy"),
        ({"port": "x"}, "config.port"),
        ({"version": "7.4"}, "config.version"),
    ],
)
def test_it_refuses_what_the_schema_refuses(install, change, web_01, config, field):
    id = install("redis")
    assert field in refused(change(id, config=config), 400)["details"]
    assert Taskserv.objects.get().config == {}


def test_it_refuses_to_change_nothing(install, change, web_01):
    refused(change(install("redis")), 400, field="config")


def test_a_change_of_a_secret_never_shows_it(install, changed, web_01):
    id, word = install("redis"), "another-password-1"
    old = credentials.opened(Taskserv.objects.get())["password"]
    changed(id, config={"password": word})
    taskserv = Taskserv.objects.get()
    assert credentials.opened(taskserv) == {"password": word}
    assert (taskserv.config, taskserv.sealed_previous) == ({}, "")
    stored = str([*Operation.objects.values(), *taskserv.__dict__.items()])
    assert word not in stored and old not in stored


def test_a_change_that_never_began_leaves_everything_as_it_was(install, change, api, alice, web_01, web_02):
    id = install("redis", ["web-01"])
    sealed = Taskserv.objects.get().sealed_secrets
    config = {"port": 6380, "password": "another-password-1"}
    answer = change(id, config=config, servers=["web-01", "web-02"])
    assert Taskserv.objects.get().config == {"port": 6380}
    api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")
    taskserv = Taskserv.objects.get()
    assert (taskserv.config, taskserv.sealed_secrets, taskserv.status) == ({}, sealed, "running")
    assert members(id) == [("web-01", "primary", 0, "running")]


def test_a_change_that_is_cancelled_on_the_way_is_taken_back(
    install, change, step, api, alice, web_01, web_02, run_worker, lines
):
    id = install("redis", ["web-01"])
    answer = change(id, config={"port": 6380}, servers=["web-01", "web-02"])
    while not Installation.objects.filter(server=web_02, begun_at__isnull=False).exists():
        step(answer)
    api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")
    run_worker()
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert (operation.status, operation.error) == ("cancelled", None)
    assert Taskserv.objects.get().config == {} and members(id) == [("web-01", "primary", 0, "running")]
    assert any(line.startswith("web-02") and "nothing was removed" in line for line in lines(answer))


def test_a_checked_change_changes_nothing(install, changed, web_01, web_02):
    id = install("redis", ["web-01"])
    changes = changed(id, config={"port": 6380}, servers=["web-01", "web-02"], check_mode=True)["changes"]
    assert {change["server"] for change in changes} == {"web-01", "web-02"}
    assert Taskserv.objects.get().config == {} and members(id) == [("web-01", "primary", 0, "running")]


# ── servers ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_servers_join_and_leave(install, changed, web_01, web_02, machine):
    machine("web-03")
    id = install("redis", ["web-01", "web-02"])
    result = changed(id, servers=["web-03", "web-01"])
    assert result["servers"] == ["web-01", "web-03"] and result["before"]["servers"] == ["web-01", "web-02"]
    assert members(id) == [("web-01", "primary", 0, "running"), ("web-03", "replica", 2, "running")]
    assert Installation.objects.filter(version="7.0").count() == 2


def test_what_is_required_is_installed_where_a_server_joins(install, changed, web_01, web_02):
    id = install("kubernetes", ["web-01"])
    changed(id, servers=["web-01", "web-02"])
    assert set(web_02.taskservs.values_list("name", flat=True)) == {"containerd", "kubernetes"}
    assert set(Taskserv.objects.values_list("status", flat=True)) == {"running"}


def test_the_primary_leaves_only_where_another_can_take_over(install, change, changed, web_01, web_02):
    id = install("redis", ["web-01", "web-02"])
    changed(id, servers=["web-02"])
    assert members(id) == [("web-02", "primary", 1, "running")]


def test_the_others_take_over_from_a_server_that_is_down(install, change, changed, lines, web_01, web_02, machine):
    machine("web-03")
    id = install("etcd", ["web-01", "web-02", "web-03"])
    other = install("mariadb", ["web-01", "web-02", "web-03"])
    machine("web-04")
    Server.objects.filter(hostname="web-01").update(status="stopped")
    answer = change(id, servers=["web-02", "web-03", "web-04"])
    assert changed(other, servers=["web-02", "web-03"])["servers"] == ["web-02", "web-03"]
    assert members(other) == [("web-02", "primary", 1, "running"), ("web-03", "replica", 2, "running")]
    log = lines(answer)
    forgotten = next(at for at, line in enumerate(log) if "Take members that are gone out of the cluster" in line)
    joined = next(at for at, line in enumerate(log) if line.startswith("web-04: "))
    assert forgotten < joined and not any(line.startswith("web-01: ") for line in log)
    assert [each[0] for each in members(id)] == ["web-02", "web-03", "web-04"]


def test_a_server_that_has_it_already_cannot_join(install, change, web_01, web_02):
    id, other = install("redis", ["web-01"]), install("redis", ["web-02"])
    assert other in refused(change(id, servers=["web-01", "web-02"]), 409)["message"]


@pytest.mark.parametrize(("servers", "status"), [([], 400), (["web-09"], 400), (["web-01", "web-01"], 400)])
def test_it_refuses_impossible_servers(install, change, web_01, servers, status):
    id = install("redis")
    assert change(id, servers=servers).status_code in (status, 409)


# ── versions ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_upgrade_takes_the_primary_last(install, changed, web_01, web_02, lines):
    id = install("redis", ["web-01", "web-02"])
    result = changed(id, "upgrade", version="7.4")
    assert (result["version"], result["before"]["version"]) == ("7.4", "7.0")
    assert Taskserv.objects.get().version == "7.4"
    assert set(Installation.objects.values_list("version", flat=True)) == {"7.4"}
    [part] = Operation.objects.filter(kind="taskserv.upgrade").get().params["plan"]
    assert part["hosts"] == [web_02.id, web_01.id]


def test_a_lower_version_needs_force(install, change, changed, web_01):
    id = install("redis", config={"version": "7.4"})
    assert refused(change(id, "upgrade", version="7.0"), 409, error="OLDER_VERSION")
    changed(id, "upgrade", version="7.0", force=True)
    assert Taskserv.objects.get().version == "7.0"


def test_the_same_and_an_unknown_version_are_refused(install, change, web_01):
    id = install("redis")
    refused(change(id, "upgrade", version="7.0"), 409)
    refused(change(id, "upgrade", version="9"), 400, field="config.version")
    refused(change(id, "upgrade"), 400, field="version")


def test_a_version_that_could_not_be_installed_is_given_up(install, change, changed, web_01):
    """As the source of its packages cannot be reached: the upgrade failed, and the server has what it had."""
    id = install("redis", config={"version": "7.0"})
    Taskserv.objects.filter(pk=id).update(version="7.4", status="failed")
    Installation.objects.filter(taskserv=id).update(state="failed", error="web-01: no source")
    refused(change(id, "upgrade", version="7.0"), 409, error="OLDER_VERSION")
    assert changed(id, "upgrade", version="7.0", force=True)["servers"] == ["web-01"]
    taskserv = Taskserv.objects.get()
    assert (taskserv.version, taskserv.status) == ("7.0", "running")
    assert list(taskserv.installations.values_list("version", "state", "error")) == [("7.0", "running", "")]
    refused(change(id, "upgrade", version="7.0"), 409)


def test_an_upgrade_that_never_began_leaves_the_version(install, change, api, alice, web_01):
    answer = change(install("redis"), "upgrade", version="7.4")
    api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")
    assert Taskserv.objects.get().version == "7.0"


# ── all of them ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("verb", ["configure", "upgrade", "verify"])
def test_it_needs_the_permission_and_a_taskserv_that_is_there(api, alice, bob, web_01, install, verb):
    id = install("redis")
    body = {"configure": {"config": {"port": 6380}}, "upgrade": {"version": "7.4"}, "verify": {}}[verb]
    assert "taskserv_create" in refused(api(bob).post(f"/v1/taskservs/{id}/{verb}", body), 403)["message"]
    refused(api(alice).post(f"/v1/taskservs/tsk-nothere/{verb}", body), 404)
    refused(api(alice).post(f"/v1/taskservs/{id}/{verb}", {**body, "workspace": "staging"}), 404)
    assert api(alice).post(f"/v1/taskservs/{id}/{verb}", body).status_code == 200
    if verb != "verify":
        refused(api(alice).post(f"/v1/taskservs/{id}/{verb}", body), 409)


def test_a_stopped_server_refuses_a_change(install, change, web_01):
    id = install("redis")
    Server.objects.update(status="stopped")
    assert "web-01 is stopped" in refused(change(id, config={"port": 6380}), 409)["message"]


def test_a_workflow_rolls_a_change_back_by_its_kind(alice, install, web_01, web_02, run_worker):
    id = install("redis", ["web-01"], {"port": 6380})
    kind = registry.kind_named("taskserv.configure")
    given = kind.validate_input({"taskserv_id": id, "config": {"port": 6381}, "servers": ["web-01", "web-02"]})
    kind.preflight(workspace="production", **given)
    operation = kind.submit(workspace="production", actor=alice, parent=None, **given)
    run_worker()
    operation.refresh_from_db()
    name, back = kind.compensation(operation.result, given)
    inverse = registry.kind_named(name)
    inverse.submit(workspace="production", actor=alice, parent=None, **inverse.validate_input(back))
    run_worker()
    assert Taskserv.objects.get().config == {"port": 6380}
    assert members(id) == [("web-01", "primary", 0, "running")]


# ── on real machines ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_check_on_a_real_machine_asks_ansible_for_no_play_without_servers(install, step, change, web_01):
    id = install("redis")
    Server.objects.filter(pk=web_01.pk).update(emulated=False)
    run = AnsibleRun.objects.get(operation=step(change(id, config={"maxmemory": "64mb"}, check_mode=True)))
    plays = unseal(run.sealed_request, what=run)["plays"]
    assert [play["server_ids"] for play in plays] == [[web_01.pk]]
