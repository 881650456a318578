"""The lifecycle of taskservs on real machines: redis with a replica, used after each change; a failed installation."""

import pytest

from apps.operations.models import Event, Operation
from apps.taskservs.models import AnsibleRun, CredentialAccess, Taskserv
from tests.refusals import refused
from tests.ssh import Client

pytestmark = pytest.mark.slow


def test_it_lives_from_creation_to_removal(ansible, real_servers, package_proxy, api, alice, ask, tmp_path):
    primary, replica = servers = real_servers("web-01", "web-02")
    ssh, client = Client.of(primary.workspace, tmp_path), api(alice)
    for server in servers:
        ssh.run(server, "dpkg --purge redis-server redis-tools; rm -rf /var/lib/redis /etc/redis", seconds=120)

    # check mode first: it lists the packages and changes nothing
    answer = ask("redis", ["web-01", "web-02"], {"bind": ["127.0.0.1"]}, check_mode=True)
    foreseen = ansible.complete(answer)
    assert {change["server"] for change in foreseen["changes"]} == {"web-01", "web-02"}
    assert not Taskserv.objects.exists() and ssh.tried(primary, "which redis-server").returncode != 0

    result = ansible.complete(ask("redis", ["web-01", "web-02"], {"bind": ["127.0.0.1"]}))
    id = result["taskserv_id"]
    assert result["servers"] == ["web-01", "web-02"] and result["changed"] > 0
    shown = client.get(f"/v1/taskservs/{id}").json()
    assert (shown["status"], shown["health"], shown["operation"]) == ("running", "healthy", None)
    for each, role in zip(shown["installations"], ("primary", "replica"), strict=True):
        assert (each["role"], each["state"], each["version"], each["health"]) == (role, "running", "7.0", "healthy")
        assert each["verified_at"] and each["error"] is None and each["emulated"] is False
    assert [each["address"] for each in shown["endpoints"]] == [primary.ip_address, replica.ip_address]
    password = client.get(f"/v1/taskservs/{id}/credentials").json()["credentials"]["password"]
    cli = f"REDISCLI_AUTH={password} redis-cli"
    assert ssh.run(primary, f"{cli} set greeting hello").strip() == "OK"
    assert ssh.run(primary, "redis-cli get greeting").strip().startswith("NOAUTH")
    assert ssh.run(replica, f"{cli} wait 0 0 >/dev/null; sleep 1; {cli} get greeting").strip() == "hello"

    again = ansible.complete(ask("redis", ["web-02", "web-01"], {"bind": ["127.0.0.1"]}))
    assert (again["taskserv_id"], again["changed"]) == (id, 0)
    message = refused(ask("redis", ["web-01", "web-02"], {"maxmemory": "64mb"}), 409)["message"]
    assert f"/v1/taskservs/{id}/configure" in message

    changed = ansible.complete(client.post(f"/v1/taskservs/{id}/configure", {"config": {"maxmemory": "64mb"}}))
    assert changed["changed"] > 0 and changed["before"]["config"] == {"bind": ["127.0.0.1"]}
    assert ssh.run(replica, f"{cli} config get maxmemory").split() == ["maxmemory", str(64 * 1024 * 1024)]

    ssh.run(primary, "systemctl stop redis-server")
    failed = ansible.finish(client.post(f"/v1/taskservs/{id}/verify", {}))
    assert (failed.status, failed.error_code) == ("failed", "TASKSERV_DEGRADED")
    shown = client.get(f"/v1/taskservs/{id}").json()
    assert (shown["status"], shown["health"]) == ("running", "degraded")
    assert "web-01" in shown["installations"][0]["error"]
    ssh.run(primary, "systemctl start redis-server && echo '# by hand' >>/etc/redis/redis.conf")
    ssh.run(primary, "systemctl disable redis-server")
    ssh.run(replica, "systemctl mask redis-server")
    ansible.finish(client.post(f"/v1/taskservs/{id}/verify", {}))
    drifts = [each["drift"] for each in client.get(f"/v1/taskservs/{id}").json()["installations"]]
    at_boot = "redis-server does not start at boot; configuring would change that."
    assert drifts[0].startswith(f"{at_boot} ") and "Configure Redis" in drifts[0] and drifts[1] == at_boot
    ansible.complete(ask("redis", ["web-01", "web-02"], {"bind": ["127.0.0.1"], "maxmemory": "64mb"}))
    assert [ssh.run(server, "systemctl is-enabled redis-server") for server in servers] == ["enabled", "enabled"]

    everything = str([*Operation.objects.values(), *Event.objects.values(), *AnsibleRun.objects.values()])
    assert password not in everything and "greeting" not in everything
    assert CredentialAccess.objects.get().username == "alice"

    ansible.complete(client.delete(f"/v1/taskservs/{id}"))
    assert not Taskserv.objects.exists()
    assert ssh.tried(primary, "which redis-server").returncode != 0 and ssh.run(primary, "ls /var/lib/redis").strip()


def test_a_failure_on_one_server_is_reported_and_completed_there_only(
    ansible, real_servers, package_proxy, api, alice, ask, tmp_path
):
    servers = real_servers("web-01", "web-02")
    ssh, client = Client.of(servers[0].workspace, tmp_path), api(alice)
    for server in servers:
        ssh.run(server, "dpkg --purge memcached || true", seconds=120)
    ssh.run(servers[1], "mv /etc/apt /etc/apt.away")
    try:
        failed = ansible.finish(ask("memcached", ["web-01", "web-02"]))
    finally:
        ssh.run(servers[1], "mv /etc/apt.away /etc/apt")
    assert (failed.status, failed.error_code) == ("failed", "TASK_FAILED")
    assert failed.error.startswith("web-02: ") and "web-01" not in failed.error
    taskserv = Taskserv.objects.get()
    shown = client.get(f"/v1/taskservs/{taskserv.id}").json()
    assert shown["status"] == "failed"
    assert [(each["state"], each["health"]) for each in shown["installations"]] == [
        ("running", "healthy"),
        ("failed", "unknown"),
    ]
    assert shown["installations"][1]["error"] in failed.error

    answer = ask("memcached", ["web-01", "web-02"])
    assert ansible.complete(answer)["taskserv_id"] == taskserv.id
    events = Event.objects.filter(operation=answer.json()["id"])
    tasks = {event.data["task"] for event in events if event.data.get("server") == "web-01"}
    assert "Install packages" not in tasks and tasks
    assert client.get(f"/v1/taskservs/{taskserv.id}").json()["health"] == "healthy"
    ansible.complete(client.delete(f"/v1/taskservs/{taskserv.id}?purge=true"))
    assert ssh.tried(servers[0], "test -e /etc/memcached.conf").returncode != 0
