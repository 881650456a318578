"""Machines that one can log in to: containers, ordered, used and deleted as a user would."""

import subprocess
import sys
from pathlib import Path

import pytest

from apps.servers.models import Server
from tests.providers.clouds import on_stages
from tests.providers.clouds.local import gateway
from tests.providers.test_every_driver.patience import until
from tests.ssh import Client

CPUS = "cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us"
MEMORY = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"

pytestmark = on_stages("local")


@pytest.fixture
def ssh(workspace, tmp_path):
    return Client.of(workspace, tmp_path)


@pytest.fixture
def machine(create, run_worker):
    """A server that runs."""

    def made(**changes):
        create(**changes)
        run_worker()
        return Server.objects.get()

    return made


def test_it_lets_the_workspace_s_key_in_and_nobody_else(machine, delete, ssh, run_worker, nothing_is_left):
    server = machine(hostname="web-01.example.test")
    assert ssh.run(server, "hostname; id -un").splitlines() == ["web-01.example.test", "root"]
    refused = ssh.tried(server, "true", "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password")
    assert refused.returncode == 255 and "Permission denied (publickey)" in refused.stderr
    delete()
    run_worker()
    nothing_is_left()


def test_it_has_the_processors_and_the_memory_of_its_plan(stage, machine, ssh):
    if not stage.engine.limits_resources:
        pytest.skip("this container engine cannot limit processors and memory")
    server = machine()
    quota, period = map(int, ssh.run(server, CPUS).split())
    assert quota / period == 1
    assert int(ssh.run(server, MEMORY)) == 1024 * 2**20


def test_it_keeps_files_address_and_host_key_when_it_is_stopped_and_started(driver, machine, ssh):
    server = machine()
    ssh.run(server, "echo kept > /root/file")
    driver.stop(server.ref)
    assert ssh.tried(server, "true").returncode == 255
    driver.start(server.ref)
    until(lambda: driver.get(server.ref).state == "running")
    assert ssh.run(server, "cat /root/file") == "kept", "known by the same host key, at the same address"


def test_it_comes_back_by_itself(stage, machine, ssh):
    server = machine()
    ssh.tried(server, "kill -KILL $(pgrep -o -x sshd)")
    until(lambda: ssh.tried(server, "test -d /root").returncode == 0)
    policy = stage.engine.ask("inspect_container", server.ref)["HostConfig"]["RestartPolicy"]["Name"]
    assert policy == ("always" if "BuildahVersion" in stage.engine.facts else "unless-stopped")


def test_its_host_key_is_known_before_anybody_has_logged_in(machine, ssh):
    server = machine()
    assert server.ssh_host_key == ssh.run(server, "cat /etc/ssh/ssh_host_ed25519_key.pub")


def test_no_two_machines_have_a_host_key_in_common(create, run_worker, ssh):
    for name in ("web-01", "web-02"):
        create(hostname=name)
    run_worker()
    keys = [ssh.run(server, "cat /etc/ssh/ssh_host_*_key.pub") for server in Server.objects.all()]
    assert len(set(keys)) == 2 and len({server.ip_address for server in Server.objects.all()}) == 2


def test_it_carries_out_user_data(api, alice, body, run_worker, ssh):
    data = "#cloud-config\nwrite_files:\n- {path: /root/written, content: hello}\nruncmd: [touch /root/ran]\n"
    given = {name: value for name, value in body.items() if name != "check_mode"}
    answer = api(alice).post("/v1/servers", {**given, "user_data": data})
    assert answer.status_code == 200, answer.content
    run_worker()
    server = Server.objects.get()
    until(lambda: ssh.tried(server, "test -e /root/ran").returncode == 0, seconds=60)
    assert ssh.run(server, "cat /root/written") == "hello"


def test_packages_can_be_installed_on_it(machine, packages, stage, ssh):
    server = machine()
    proxy = f"http://{gateway(stage.engine)}:{packages}"
    ssh.run(server, f"echo 'Acquire::http::Proxy \"{proxy}\";' >/etc/apt/apt.conf.d/proxy")
    update = "apt-get update -qq -o APT::Update::Error-Mode=any"
    if ssh.tried(server, update, seconds=120).returncode:
        pytest.skip("no mirror of Debian's archive can be reached from this machine")
    ssh.run(server, "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends hello", seconds=120)
    assert ssh.run(server, "hello") == "Hello, world!"


def test_ansible_manages_it(machine, ssh, tmp_path):
    server = machine()
    inventory = tmp_path / "inventory"
    reach = f"ansible_host={server.ip_address} ansible_port={server.ssh_port} ansible_user=root"
    inventory.write_text(f"web-01 {reach} ansible_ssh_common_args='{' '.join(ssh.options)}'\n")
    ansible = Path(sys.executable).with_name("ansible")
    words = [ansible, "all", "-i", inventory, "-m", "ansible.builtin.setup", "-a", "filter=ansible_distribution*"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"ansible_distribution_major_version": "12"' in done.stdout


def test_it_can_be_logged_in_to_as_soon_as_it_is_said_to_run(machine, ssh):
    assert ssh.run(machine(), "echo up") == "up"
