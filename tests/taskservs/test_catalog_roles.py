"""The catalog's roles on real machines, many services on the same ones: installed, used, repeated, changed, removed."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from apps.operations.models import Event
from tests.providers.clouds.local import usable_engine
from tests.taskservs.role_runs import changed

pytestmark = pytest.mark.slow
PACKAGES = "dpkg-query --show --showformat='${Package} ${Version} ${Status}\\n'"
FILES = "find /etc /usr/local /opt -type f -exec sha256sum {} + | sort -k2"
UNITS = "systemctl list-unit-files --no-legend --no-pager --type=service --type=socket --type=timer"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHoM5vJvYmVyMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0 anna@example"
ALSO = ["less", "memcached", "nginx-common"]  # packages that `os` asks for, two of them with other taskservs
# Debian's own, which unattended upgrades need.
TIMERS = re.compile("/etc/systemd/system/timers.target.wants/apt-daily(-upgrade)?.timer")
VERIFIED = "/var/lib/docker-registry/docker/registry/v2/repositories/provisioning/verify"


def single(server):
    """Services for one server, and their settings."""
    return [
        ("memcached", [server], {"memory_mb": 32}),
        ("nginx", [server], {"http_port": 8081}),
        ("haproxy", [server], {"port": 8080, "backends": [f"{server.ip_address}:8081"]}),
        ("node_exporter", [server], {}),
        ("prometheus", [server], {"targets": [f"{server.ip_address}:9100"], "scrape_interval_seconds": 5}),
        ("rabbitmq", [server], {}),
        ("registry", [server], {}),
        ("containerd", [server], {}),
        ("unattended_upgrades", [server], {}),
        (
            "os",
            [server],
            {"packages": ALSO, "timezone": "Europe/Berlin", "users": [{"name": "anna", "keys": [KEY]}]},
        ),
    ]


def test_it_installs_uses_changes_and_removes_services_of_one_server(roles, real_servers):
    [server] = real_servers("web-01", fresh=True)
    wanted = single(server)
    say = lambda command: roles.ssh.run(server, command)  # noqa: E731
    state = lambda: [say(command) for command in (PACKAGES, FILES, UNITS)]  # noqa: E731
    before, paths = state(), roles.paths(server)
    assert roles.run(*wanted[:3], check_mode=True)["changes"]
    assert state() == before, "a check has changed something"

    roles.run(*wanted)
    assert "ok 1.22" in say(
        "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/healthz').read())\""
    )
    roots = roots_of("haproxy", server)
    assert "/var/lib/haproxy" in roots or not roots, roots
    fewer = Event.objects.filter(message__contains=f"as this machine allows {may_open(roles, server)} open files")
    assert fewer.exists() is (may_open(roles, server) < 4000)
    assert "Berlin" in say("readlink /etc/localtime") and say("cat /home/anna/.ssh/authorized_keys").strip() == KEY
    up = say(
        "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/api/v1/query?query=up%7Bjob=%22targets%22%7D').read().decode())\""
    )
    assert {each["value"][1] for each in json.loads(up)["data"]["result"]} == {"1"}
    for secrets in roles.secrets.values():
        for value in secrets.values():
            found = say(f"grep -rlF {value} /etc /var/log /root /tmp 2>/dev/null || true").split()
            assert all(oct(int(say(f"stat -c %a {path}"), 8) & 0o007) == "0o0" for path in found), found
    assert times_done("Fetch the lists of packages") == 1, "once for all roles of a run"
    assert changed(roles.run(*wanted)) == 0
    assert times_done("Fetch the lists of packages") == 1, "never where all packages are there"
    assert roles.run(*wanted, check_mode=True)["changes"] == []

    pid = say("systemctl show --property=MainPID --value nginx")
    # A run that was killed between making a user and letting it do everything is completed by the next one.
    say("rabbitmqctl clear_permissions admin; rabbitmqctl set_user_tags admin")
    roles.run(
        ("rabbitmq", [server], {}),
        ("memcached", [server], {"memory_mb": 48}),
        ("nginx", [server], {"http_port": 8081, "gzip": False}),
    )
    changed_os = {"packages": [*ALSO, "tree"], "timezone": "Europe/Berlin", "users": [{"name": "ben"}]}
    roles.run(("os", [server], changed_os), actions=["configure", "verify"])
    assert "-m 48" in say("cat /etc/memcached.conf") and say("systemctl show --property=MainPID --value nginx") == pid
    assert "1970" in say("chage --list anna") and not say("find /home/anna/.ssh -name authorized_keys")

    say(f"echo kept > /var/lib/docker-registry/mine; ls {VERIFIED}")
    roles.run(wanted[0], wanted[6], actions=["remove"])
    assert say("cat /var/lib/docker-registry/mine").strip() == "kept"
    assert say(f"ls -d {VERIFIED} 2>/dev/null || true; systemctl is-enabled memcached || true") == "disabled"
    roles.run(*wanted, actions=["remove"], purge=True)
    for program in ("memcached", "nginx", "haproxy", "prometheus", "rabbitmq-server", "docker-registry", "containerd"):
        assert roles.ssh.tried(server, f"systemctl is-active {program}").returncode != 0, program
    installed = {line.split()[0] for line in say(PACKAGES).splitlines() if line.endswith("ok installed")}
    assert set(ALSO) <= installed and not {"nginx", "docker-registry", "apache2-utils"} & installed
    missing = say(f"dpkg --verify {' '.join(ALSO)} | grep '^missing .* /etc/' || true")
    assert missing == "", "settings of packages that `os` has asked for"
    say(f"apt-get purge -qq --autoremove {' '.join(ALSO)} tree 2>&1")
    left = {path for path in roles.paths(server) - paths if not TIMERS.match(path)}
    assert left == set(), "a purge has left something"


def times_done(task):
    """Return how often a task has done its work so far, in all runs."""
    done = Event.objects.values_list("data", flat=True)
    return sum((data.get("task"), data.get("state")) == (task, "ok") for data in done)


def test_a_machine_without_chrony_has_its_former_time_service_again(roles, real_servers):
    [server] = real_servers("web-01")
    say = lambda command: roles.ssh.run(server, command, seconds=120)  # noqa: E731
    roles.run(("chrony", [server], {}), actions=["install"])
    say("apt-get install -qq systemd-timesyncd")
    roles.run(("chrony", [server], {}), actions=["install"])
    state = "dpkg-query --show --showformat='${db:Status-Status} ' chrony systemd-timesyncd"
    assert say(state) == "installed config-files"
    roles.run(("chrony", [server], {}), actions=["remove"])
    assert say(state) == "config-files installed" and say("systemctl is-enabled systemd-timesyncd") == "enabled"
    say("apt-get purge -qq systemd-timesyncd chrony")


def test_it_says_that_haproxy_may_not_open_as_many_files_as_its_connections_need(roles, real_servers):
    [server] = real_servers("web-01")
    if may_open(roles, server) > 1_000_000:
        pytest.skip("the container engine allows more open files than the most connections need")
    refused = roles.outcome(("haproxy", [server], {"max_connections": 500_000}), check_mode=True)
    assert "500000 connections need" in refused["error"] and "lower max_connections" in refused["error"]


def roots_of(program, server):
    """Return the root directories of a program's processes on a machine, as far as this user may look."""
    found, init = set(), usable_engine().ask("inspect_container", server.ref)["State"]["Pid"]
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_inside = (path / "ns/pid").readlink() == Path(f"/proc/{init}/ns/pid").readlink()
            if is_inside and (path / "comm").read_text().strip() == program:
                found.add(str((path / "root").readlink()))
    return found


def may_open(roles, server):
    """Return how many files a process may open on a machine."""
    return int(roles.ssh.run(server, "prlimit --nofile --noheadings --output HARD"))


def test_it_installs_a_service_whose_handler_was_lost(roles, real_servers):
    """The service runs with what it read before: the next run sees that and lets it read the files."""
    [server] = real_servers("web-01")
    roles.run(("redis", [server], {}))
    roles.ssh.run(
        server, "sed -i 's/^appendonly yes/appendonly no/' /etc/redis/redis.conf; systemctl restart redis-server"
    )
    roles.ssh.run(server, "sleep 1; sed -i 's/^appendonly no/appendonly yes/' /etc/redis/redis.conf")
    put_together = [path.stat().st_ino for path in roles.stage.folder.glob("modules/ansible.modules.command-*")]
    assert changed(roles.run(("redis", [server], {}))) == 1
    roles.ssh.run(server, "apt-mark auto redis-tools")
    assert changed(roles.run(("redis", [server], {}))) == 0
    assert "redis-tools" in roles.ssh.run(server, "apt-mark showmanual"), "it would go with what needs it"
    again = [path.stat().st_ino for path in roles.stage.folder.glob("modules/ansible.modules.command-*")]
    assert put_together and again == put_together, "a later run puts modules together that an earlier one has"
    roles.run(("redis", [server], {}), actions=["remove"], purge=True)
    assert "redis" not in roles.ssh.run(server, "ls /etc /var/lib")
