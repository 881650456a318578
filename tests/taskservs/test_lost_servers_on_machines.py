"""Clusters that lose a server, on real machines: it comes back, or the others take over and forget it."""

import pytest

from apps.servers.models import Server
from apps.taskservs.models import Installation
from tests.ssh import Client
from tests.taskservs.playing import role, shell

pytestmark = pytest.mark.slow
ETCDCTL = "ETCDCTL_API=3 etcdctl"
ENTRY = """
name: beacon
title: A beacon
description: Writes its role down.
category: system
versions: ["1"]
default_version: "1"
systems: [debian-12]
servers: {min: 1, max: 9}
roles: [primary, replica]
requires: []
conflicts: []
endpoints: []
needs: []
options: {}
"""


@pytest.fixture
def beacon(settings, tmp_path):
    """A small taskserv that writes its role down, and cannot be promoted where there is a file `/etc/beacon-full`."""
    write = shell("Write", "echo {{ taskserv_role }} >/etc/beacon")
    files = {
        "install": [],
        "configure": [write],
        "start": [],
        "verify": [shell("Read", "grep -x {{ taskserv_role }} /etc/beacon", changed_when=False)],
        "promote": [shell("Look for space", "test ! -e /etc/beacon-full"), write],
        "remove": [shell("Remove", "rm -f /etc/beacon")],
    }
    path = role(tmp_path / "catalog", "beacon", **files)
    (tmp_path / "catalog" / "beacon" / "taskserv.yaml").write_text(ENTRY)
    (tmp_path / "catalog" / "beacon" / "defaults").mkdir()
    (tmp_path / "catalog" / "beacon" / "defaults" / "main.yml").write_text('beacon_version: "1"\n')
    settings.TASKSERV_PATHS = [str(tmp_path / "catalog")]
    return path


def roles(id):
    return dict(Installation.objects.filter(taskserv=id).values_list("server__hostname", "role"))


def test_a_server_comes_back_and_the_others_go_on_without_one_that_is_gone(
    ansible, machines, real_servers, package_proxy, api, alice, ask, tmp_path
):
    one, two, three, four = real_servers("db-01", "db-02", "db-03", "db-04")
    ssh, client = Client.of(one.workspace, tmp_path), api(alice)
    redis = ansible.complete(ask("redis", ["db-01", "db-02", "db-03"]))["taskserv_id"]
    etcd = ansible.complete(ask("etcd", ["db-01", "db-02", "db-03"]))["taskserv_id"]
    password = client.get(f"/v1/taskservs/{redis}/credentials").json()["credentials"]["password"]
    cli = f"REDISCLI_AUTH={password} redis-cli"
    ssh.run(one, f"{cli} set color green && {ETCDCTL} put color green")

    # etcd outlives a member, which has all again when it is back
    assert ssh.run(three, f"{ETCDCTL} get --print-value-only color") == "green"
    ssh.run(two, "systemctl stop etcd")
    ssh.run(one, f"{ETCDCTL} put color blue")
    again = ansible.complete(ask("etcd", ["db-01", "db-02", "db-03"]))
    assert again["taskserv_id"] == etcd and ssh.run(two, f"{ETCDCTL} get --print-value-only color") == "blue"
    assert ansible.complete(ask("etcd", ["db-01", "db-02", "db-03"]))["changed"] == 0

    # one server is gone
    machines.driver.stop(one.ref)
    Server.objects.filter(pk=one.pk).update(status="stopped")

    ansible.complete(client.post(f"/v1/taskservs/{redis}/configure", {"servers": ["db-02", "db-03"]}))
    assert roles(redis) == {"db-02": "primary", "db-03": "replica"}
    assert ssh.run(two, f"{cli} set shape round").strip() == "OK"
    read = f"for i in $(seq 50); do {cli} get shape | grep round && break; sleep 0.1; done; {cli} get color"
    assert ssh.run(three, read).split() == ["round", "green"]

    ansible.complete(client.post(f"/v1/taskservs/{etcd}/configure", {"servers": ["db-02", "db-03", "db-04"]}))
    members = ssh.run(four, f"{ETCDCTL} member list").splitlines()
    assert len(members) == 3 and not any(one.ip_address in line for line in members)
    assert ssh.run(four, f"{ETCDCTL} get --print-value-only color") == "blue"
    for id in (redis, etcd):
        ansible.complete(client.delete(f"/v1/taskservs/{id}?purge=true"))


def test_a_change_that_failed_after_the_promotion_goes_on_with_the_new_primary(
    ansible, real_servers, beacon, api, alice, ask, tmp_path
):
    one, two, three = real_servers("db-01", "db-02", "db-03")
    ssh, client = Client.of(one.workspace, tmp_path), api(alice)
    id = ansible.complete(ask("beacon", ["db-01", "db-02", "db-03"]))["taskserv_id"]
    ssh.run(three, "touch /etc/beacon-full")
    failed = ansible.finish(client.post(f"/v1/taskservs/{id}/configure", {"servers": ["db-02", "db-03"]}))
    assert failed.status == "failed" and "Look for space" in failed.error
    assert roles(id) == {"db-01": "replica", "db-02": "primary", "db-03": "replica"}
    assert [ssh.run(each, "cat /etc/beacon") for each in (two, three)] == ["primary", "replica"]

    ansible.complete(client.post(f"/v1/taskservs/{id}/configure", {"servers": ["db-02", "db-03"]}))
    assert roles(id) == {"db-02": "primary", "db-03": "replica"}
    assert ssh.tried(one, "cat /etc/beacon").returncode != 0
    ssh.run(three, "rm /etc/beacon-full")
    ansible.complete(client.delete(f"/v1/taskservs/{id}"))
