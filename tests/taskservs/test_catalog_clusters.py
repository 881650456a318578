"""The catalog's clusters on real machines: formed, used, failed over, removed.

Those of etcd are in test_lost_servers_on_machines.py and in tests/workflows/test_cluster_on_machines.py.
"""

import pytest

from tests.taskservs.role_runs import changed

pytestmark = pytest.mark.slow


def spoil_postgres(ssh, one, two):
    """Leave a reload of one undone, and both its units disabled; and a restart of two, hidden by a reload."""
    spoils = (
        (one, "reload", "pg_hba.conf", "1i host all all all reject"),
        (two, "restart", "conf.d/provisioning.conf", "s/128MB/127MB/"),
    )
    for server, read, name, change in spoils:
        file = f"/etc/postgresql/15/main/{name}"
        ssh.run(server, f"cp {file} /tmp/kept && sed -i '{change}' {file} && systemctl {read} postgresql@15-main")
        ssh.run(server, f"sleep 1.1; cat /tmp/kept >{file}")
    ssh.run(one, "systemctl disable postgresql postgresql@15-main")
    ssh.run(two, "systemctl reload postgresql@15-main")


def test_it_forms_redis_and_postgres_of_a_primary_and_replicas(roles, real_servers):
    servers = one, two, three = real_servers("db-01", "db-02", "db-03")
    pair, paths = [one, two], roles.paths(one)
    wanted = [("redis", servers, {}), ("postgres", pair, {})]
    roles.run(*wanted)
    spoil_postgres(roles.ssh, one, two)
    assert changed(roles.run(*wanted)) == 4
    enabled = roles.ssh.run(one, "systemctl is-enabled postgresql postgresql@15-main")
    assert enabled.split() == ["enabled", "enabled"]
    assert changed(roles.run(*wanted)) == 0
    password = roles.secrets["redis"]["password"]
    cli = f"printf 'AUTH {password}\\n%s\\n' | redis-cli"
    roles.ssh.run(one, cli % "SET color green")
    read = f"for i in $(seq 50); do {cli % 'GET color'} | grep green && break; sleep 0.1; done"
    assert "green" in roles.ssh.run(three, read)
    psql = "runuser -u postgres -- psql -XAtc"
    roles.ssh.run(one, f"{psql} 'CREATE TABLE colors AS SELECT 7 AS number'")
    read = f"for i in $(seq 50); do {psql} 'SELECT number FROM colors' 2>/dev/null | grep 7 && break; sleep 0.1; done"
    assert roles.ssh.run(two, read).strip() == "7"

    # Failover by hand: the primary is stopped, the replica takes over, and the old primary follows it.
    roles.ssh.run(one, "systemctl stop postgresql@15-main")
    turned = [("postgres", [two, one], {})]
    roles.run(*turned, actions=["promote"], only=[two])
    roles.ssh.run(two, f"{psql} 'INSERT INTO colors VALUES (8)'")
    slots = f"{psql} 'SELECT count(*) FROM pg_replication_slots'"
    assert roles.ssh.run(two, slots).strip() == "1"
    roles.run(("postgres", [two], {}), actions=["forget"])
    assert roles.ssh.run(two, slots).strip() == "0"
    roles.run(*turned)
    read = f"for i in $(seq 50); do {psql} 'SELECT max(number) FROM colors' | grep 8 && break; sleep 0.1; done"
    assert roles.ssh.run(one, read).strip() == "8"
    # A primary that leaves has its replicas receive all that it has acknowledged; then redis goes on with the next one.
    pause = "pid=$(pidof redis-server); (kill -STOP $pid; sleep 13; kill -CONT $pid) >/dev/null 2>&1 &"
    roles.ssh.run(two, pause)
    roles.ssh.run(one, cli % "SET shade dark")
    roles.run(("redis", servers, {}), actions=["demote"], only=[one])
    assert roles.ssh.run(one, "systemctl is-active redis-server || true") == "inactive"
    assert "dark" in roles.ssh.run(two, cli % "GET shade")
    assert changed(roles.run(("redis", servers, {}), actions=["demote"], only=[one])) == 0
    roles.run(("redis", [two, three], {}), actions=["promote"])
    assert "dark" in roles.ssh.run(two, cli % "GET shade")
    roles.ssh.run(two, cli % "SET color blue")
    read = f"for i in $(seq 50); do {cli % 'GET color'} | grep blue && break; sleep 0.1; done"
    assert "blue" in roles.ssh.run(three, read)
    roles.run(("redis", [two, three], {}), actions=["verify"])
    roles.run(*wanted, actions=["remove"], purge=True)
    assert roles.paths(one) - paths == set(), "a purge has left something"


def test_it_forms_mariadb_of_a_primary_and_replicas(roles, real_servers):
    trio = one, two, three = real_servers("db-01", "db-02", "db-03")
    paths = roles.paths(one)
    roles.run(("mariadb", [one], {}))
    make = "CREATE DATABASE shop; CREATE TABLE shop.colors (id INT PRIMARY KEY); INSERT INTO shop.colors VALUES (1)"
    roles.ssh.run(one, f"mariadb -e '{make}'")
    roles.run(("mariadb", trio, {}))
    roles.ssh.run(one, "mariadb -e 'INSERT INTO shop.colors VALUES (2)'")
    read = "for i in $(seq 50); do mariadb -BNe 'SELECT COUNT(*) FROM shop.colors' | grep 2 && break; sleep 0.1; done"
    assert roles.ssh.run(two, read).strip() == "2"
    assert changed(roles.run(("mariadb", trio, {}))) == 0

    # Replicas go on to follow a primary that has another port, or another password for them.
    roles.run(("mariadb", trio, {"port": 3307}), actions=["configure", "verify"])
    roles.secrets["mariadb"]["replication_password"] = "another-password-of-theirs"
    roles.run(("mariadb", trio, {"port": 3307}), actions=["configure"])

    # A primary that leaves waits for a replica whose broken connection it has not seen yet, and has all receive what it
    # acknowledges meanwhile; the next one, here late by ten seconds, applies it before it takes over.
    roles.ssh.run(two, "mariadb -e 'STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 10; START SLAVE'")
    away = "kill -KILL $(pidof mariadbd); systemctl stop mariadb; sleep 15; systemctl start mariadb"
    roles.ssh.run(three, f"({away}) >/dev/null 2>&1 &")
    insert = 'mariadb -e "INSERT INTO shop.colors VALUES ($n)"'
    write = f"sleep 5; n=100; while {insert}; do echo $n; n=$((n+1)); sleep 0.05; done"
    roles.ssh.run(one, f"({write}) >/root/acknowledged 2>/dev/null &")
    roles.run(("mariadb", trio, {}), actions=["demote"], only=[one])
    states = [roles.ssh.run(server, "systemctl is-active mariadb || true") for server in trio]
    assert states == ["inactive", "active", "active"]
    assert changed(roles.run(("mariadb", trio, {}), actions=["demote"], only=[one])) == 0
    roles.run(("mariadb", [two, three], {}), actions=["promote", "verify"])
    roles.run(("mariadb", [two, three, one], {}), actions=["leave"], only=[one])  # the old primary is stopped
    last = roles.ssh.run(one, "tail -n 1 /root/acknowledged")
    highest = "mariadb -BNe 'SELECT MAX(id) FROM shop.colors'"
    assert 100 < int(last) <= int(roles.ssh.run(two, highest)) == int(roles.ssh.run(three, highest))
    roles.ssh.run(two, "mariadb -e 'INSERT INTO shop.colors VALUES (4)'")
    select = "mariadb -BNe 'SELECT id FROM shop.colors WHERE id = 4'"
    read = f"for i in $(seq 50); do {select} | grep 4 && break; sleep 0.1; done"
    assert roles.ssh.run(three, read).strip() == "4"
    roles.run(("mariadb", trio, {}), actions=["remove"], purge=True)
    assert roles.paths(one) - paths == set(), "a purge has left something"
