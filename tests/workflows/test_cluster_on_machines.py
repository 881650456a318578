"""The lifecycle of clusters on real machines: created, scaled, their servers replaced, deleted, each by a workflow."""

import os

import pytest

from apps.operations.models import Operation
from apps.providers.services import register_account
from apps.servers.models import Server
from apps.taskservs.models import Taskserv
from tests.providers.catalogs import read_catalog
from tests.providers.clouds.local import clear, containers, usable_engine
from tests.ssh import Client

pytestmark = pytest.mark.slow

INSTALLATION = f"workflows-{os.getpid()}"
ETCDCTL = "ETCDCTL_API=3 etcdctl"
PSQL = "runuser -u postgres -- psql -XAtc"
LOCAL = {"provider": "local", "plan": "1xCPU-1GB", "zone": "local"}
SECONDS = 900


@pytest.fixture
def engine(settings):
    """The engine of this machine; what this test makes there carries its own installation's name."""
    settings.INSTALLATION = INSTALLATION
    found = usable_engine()
    yield found
    clear(found, INSTALLATION)


@pytest.fixture
def run_both(engine, ansible, api, alice, workspace, package_proxy, run_worker):
    """Submit workflows of a type for local servers as an operator, work until all have ended, return their results."""
    account = register_account(provider="local", name="default", endpoint="", credentials={})
    read_catalog(account, run_worker)

    def submitted(type, *each):
        body = {"workspace": "production", "workflow_type": type}
        answers = [api(alice).post("/v1/workflows/submit", body | {"parameters": parameters}) for parameters in each]
        ended = [ansible.finish(answer, SECONDS) for answer in answers]
        assert {operation.status for operation in ended} == {"completed"}, failures()
        return [operation.result for operation in ended]

    return submitted


@pytest.fixture
def run(run_both):
    """Do that with one workflow, and return its result."""
    return lambda type, **parameters: run_both(type, parameters)[0]


def failures():
    """Return the errors of everything that failed."""
    return list(Operation.objects.filter(status="failed").values_list("kind", "error"))


def test_a_cluster_of_etcd_keeps_its_data_while_a_server_is_replaced_and_it_is_scaled(
    run, engine, api, alice, workspace, tmp_path
):
    made = run("cluster_create", cluster_name="kv", node_count=3, taskserv="etcd", **LOCAL)
    assert [each["hostname"] for each in made["servers"]] == ["kv-1", "kv-2", "kv-3"]
    assert len(containers(engine, INSTALLATION)) == 3
    ssh = Client.of(workspace, tmp_path)
    servers = {server.hostname: server for server in Server.objects.all()}
    assert ssh.run(servers["kv-1"], f"{ETCDCTL} put color green") == "OK"

    run("replace_server", cluster_name="kv", hostname="kv-2")
    assert set(roles(api(alice), made)) == set(by_hostname()) == {"kv-1", "kv-3", "kv-4"}
    assert len(containers(engine, INSTALLATION)) == 3
    joined = Server.objects.get(hostname="kv-4")
    assert ssh.run(joined, f"{ETCDCTL} get --print-value-only color") == "green"
    assert member_names(ssh, joined) == {"kv-1", "kv-3", "kv-4"}

    run("cluster_scale", cluster_name="kv", node_count=5)
    assert set(roles(api(alice), made)) == {"kv-1", "kv-2", "kv-3", "kv-4", "kv-5"}
    newest = Server.objects.get(hostname="kv-5")
    assert ssh.run(newest, f"{ETCDCTL} get --print-value-only color") == "green"
    assert len(member_names(ssh, newest)) == 5

    run("cluster_scale", cluster_name="kv", node_count=3)
    assert len(ssh.run(servers["kv-1"], f"{ETCDCTL} member list").splitlines()) == 3
    assert ssh.run(servers["kv-3"], f"{ETCDCTL} get --print-value-only color") == "green"

    run("cluster_delete", cluster_name="kv")
    assert (Server.objects.count(), Taskserv.objects.count()) == (0, 0)
    assert containers(engine, INSTALLATION) == {}


def test_a_replica_takes_over_when_the_server_of_the_primary_is_replaced(
    run_both, engine, api, alice, workspace, tmp_path
):
    both = [{"cluster_name": "db", "taskserv": "postgres"}, {"cluster_name": "cache", "taskserv": "redis"}]
    made, cache = run_both("cluster_create", *({**LOCAL, **each, "node_count": 2} for each in both))
    ssh, client = Client.of(workspace, tmp_path), api(alice)
    servers = by_hostname()
    ssh.run(servers["db-1"], f"{PSQL} 'CREATE TABLE numbers (number INT)'")
    write_on(ssh, servers["db-2"], password(client, made), servers["db-1"].ip_address)
    redis = f"REDISCLI_AUTH={password(client, cache)} redis-cli"
    assert ssh.run(servers["cache-1"], f"{redis} set color green").strip() == "OK"

    old = [{"cluster_name": name, "hostname": f"{name}-1"} for name in ("db", "cache")]
    run_both("replace_server", *old)
    servers = by_hostname()
    assert roles(client, made) == {"db-2": "primary", "db-3": "replica"}
    assert roles(client, cache) == {"cache-2": "primary", "cache-3": "replica"}
    assert len(servers) == len(containers(engine, INSTALLATION)) == 4
    taken = ssh.run(servers["db-2"], "cat /root/taken").split()
    for name in ("db-2", "db-3"):  # all that the old primary has acknowledged
        kept = set(ssh.run(servers[name], f"{PSQL} 'SELECT number FROM numbers'").split())
        assert len(taken) > 10 and set(taken) <= kept
    ssh.run(servers["db-2"], f"{PSQL} 'INSERT INTO numbers VALUES (-1)'")
    assert [ssh.run(servers[name], f"{redis} get color").strip() for name in ("cache-2", "cache-3")] == ["green"] * 2
    assert ssh.run(servers["cache-2"], f"{redis} set color blue && {redis} wait 1 5000").split() == ["OK", "1"]

    run_both("cluster_delete", {"cluster_name": "db"}, {"cluster_name": "cache"})
    assert (Server.objects.count(), Taskserv.objects.count()) == (0, 0)
    assert containers(engine, INSTALLATION) == {}


def member_names(ssh, server):
    """Return the names of the members of etcd's cluster, of which each line has: id, status, name, addresses."""
    lines = ssh.run(server, f"{ETCDCTL} member list").splitlines()
    return {line.split(", ")[2] for line in lines}


def password(client, made):
    """Return the generated password of a taskserv."""
    return client.get(f"/v1/taskservs/{made['taskserv_id']}/credentials").json()["credentials"]["password"]


def by_hostname():
    return {server.hostname: server for server in Server.objects.all()}


def write_on(ssh, server, password, primary):
    """Write numbers into a primary from another server until it refuses one; note there which it acknowledged."""
    psql = f"PGPASSWORD={password} psql -XAtq -h {primary} -U admin postgres"
    loop = (
        f'for n in $(seq 100000); do {psql} -c "INSERT INTO numbers VALUES ($n)" || break; '
        "echo $n >>/root/taken; sleep 0.2; done"
    )
    ssh.run(server, f"systemd-run --quiet --unit writer bash -c '{loop}'")


def roles(client, made):
    """Return the role of each server of a taskserv that is healthy."""
    shown = client.get(f"/v1/taskservs/{made['taskserv_id']}").json()
    assert (shown["status"], shown["health"]) == ("running", "healthy")
    return {each["hostname"]: each["role"] for each in shown["installations"]}
