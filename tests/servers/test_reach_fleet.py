"""A real machine, reached by OpenSSH and by Ansible with nothing but what the service tells of it."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction

from apps.operations.models import Operation
from apps.providers.services import refresh_catalog, register_account
from tests.conftest import PASSWORD
from tests.providers.clouds.local import clear, usable_engine
from tests.servers.test_inventory_script import SCRIPT

pytestmark = pytest.mark.django_db(transaction=True)
INSTALLATION = f"test-reach-{os.getpid()}"


@pytest.fixture
def keys(settings, api, alice, workspace, run_worker, tmp_path):
    """A container made through the API, as `web-01` of `production`; gives where the configuration and keys are.

    The worker is played in a transaction, for outside of one it looks after its steps from a thread, whose connection
    to the database would outlive the test.
    """
    engine = usable_engine()
    settings.INSTALLATION = INSTALLATION
    refresh_catalog(account=register_account(provider="local", name="default", endpoint="", credentials={}))
    with transaction.atomic():
        run_worker()
    body = {"workspace": "production", "provider": "local", "plan": "1xCPU-1GB", "hostname": "web-01", "zone": "local"}
    try:
        assert api(alice).post("/v1/servers/create", {**body, "tags": ["web"]}).status_code == 200
        with transaction.atomic():
            run_worker()
        operation = Operation.objects.latest("created_at")
        assert operation.status == "completed", operation.error
        config = StringIO()
        call_command("ssh_config", keys=str(tmp_path / "keys"), stdout=config)
        (tmp_path / "config").write_text(config.getvalue())
        yield tmp_path
    finally:
        clear(engine, INSTALLATION)
        engine.close()


def run(*command, home, **variables):
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_it_is_reached_by_openssh_and_by_ansible(keys, cloud_server):
    ssh = run("ssh", "-F", keys / "config", "-o", "ConnectionAttempts=20", "production.web-01", "hostname", home=keys)
    assert (ssh.returncode, ssh.stdout) == (0, "web-01\n"), ssh.stderr
    assert (keys / "keys" / ".known_hosts").read_text().startswith("srv-")

    command = (
        "tag_web",
        "-i",
        SCRIPT,
        "-m",
        "command",
        "-a",
        "hostname",
        "--private-key",
        keys / "keys" / "production",
    )
    ansible = run(
        Path(sys.executable).parent / "ansible",
        *command,
        home=keys,
        PROVISIONING_URL=cloud_server.removesuffix("/emulator"),
        PROVISIONING_USERNAME="alice",
        PROVISIONING_PASSWORD=PASSWORD,
        ANSIBLE_HOME=str(keys / "ansible"),
        ANSIBLE_SSH_ARGS=f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={keys / 'known_hosts'}",
    )
    assert ansible.returncode == 0, ansible.stdout + ansible.stderr
    assert "production.web-01 | CHANGED | rc=0 >>\nweb-01" in ansible.stdout
