"""Local machines as machines: systemd, services that come back, and what an account's privileges give them."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from apps.providers.drivers.base import MachineSpec
from apps.workspaces.services import new_key_pair
from tests.providers.clouds import on_stages
from tests.providers.test_every_driver.patience import until

pytestmark = on_stages("local")
OPTIONS = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=5")


@pytest.fixture
def boot(stage, open_driver, tmp_path):
    """Make a machine; gives the driver, the machine, and what runs a command there."""
    if not shutil.which("ssh"):
        pytest.skip("no SSH client here; install openssh-client")
    public, private = new_key_pair("tests")
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(private)

    def go(**options):
        driver = open_driver(replace(stage.connection(), **options))
        spec = MachineSpec(
            server_id="srv-local1", hostname="web-01", plan="1xCPU-1GB", zone="local", disk_gib=0, ssh_keys=(public,)
        )
        ref = driver.create(spec).ref
        machine = until(lambda: (found := driver.get(ref)).state == "running" and found)

        def run(command):
            words = ["ssh", "-i", str(key), *(word for one in OPTIONS for word in ("-o", one)), "-p"]
            words += [str(machine.ssh_port), f"root@{machine.ip}", command]
            return subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

        return driver, machine, run

    return go


def test_services_identity_and_hardware_address_survive_a_reboot(boot):
    driver, machine, run = boot()
    assert run("systemctl is-system-running --wait").stdout.strip() == "running"
    unit = "[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n"
    done = run(
        f"printf '{unit}' >/etc/systemd/system/web.service; systemctl enable --now web && systemctl is-active web"
    )
    assert done.stdout.strip() == "active", done.stderr
    facts = "cat /etc/machine-id /sys/class/net/eth0/address"  # a new one would be unknown to the host for a while
    before = run(facts).stdout
    driver.reboot(machine.ref)
    until(lambda: run("systemctl is-active web").stdout.strip() == "active")
    assert run(facts).stdout == before != ""


@pytest.mark.parametrize("privileged", [True, False])
def test_only_a_privileged_account_s_machines_may_mount(boot, privileged):
    _, _, run = boot(privileged=privileged)
    assert (run("mount -t tmpfs none /mnt").returncode == 0) == privileged
