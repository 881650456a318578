"""manage.py ssh_config, read by OpenSSH itself."""

import shutil
import subprocess
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.workspaces.models import Workspace
from apps.workspaces.services import public_key
from tests.servers.fleet import machine

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no OpenSSH client is installed"),
]


def printed(**options):
    out = StringIO()
    call_command("ssh_config", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def seen(tmp_path):
    """What OpenSSH would do for a host; every option by its lower-case name."""

    def ask(config, host):
        path = tmp_path / "config"
        path.write_text(config)
        done = subprocess.run(
            ["ssh", "-T", "-G", "-F", path, host], capture_output=True, text=True, timeout=20, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())

    return ask


def test_it_leads_to_each_server(seen):
    machine("web-01", ip_address="10.0.0.7", ssh_port=2201)
    machine("web-02", ip_address="2001:db8::2")
    config = printed()
    for name in ("web-01", "production.web-01"):
        found = seen(config, name)
        assert (found["hostname"], found["port"], found["user"]) == ("10.0.0.7", "2201", "root")
        assert found["stricthostkeychecking"] == "accept-new"
        assert found["userknownhostsfile"].endswith("/.ssh/known_hosts_provisioning")
        assert "identityfile" not in config.lower()
    assert seen(config, "web-02")["hostname"] == "2001:db8::2"


def test_it_remembers_host_keys_by_server_for_addresses_are_given_away(seen):
    server = machine("web-01")
    assert seen(printed(), "web-01")["hostkeyalias"] == server.id


def test_it_writes_the_host_keys_that_are_known_and_leaves_the_others(tmp_path):
    server, other = machine("web-01", ssh_host_key="ssh-ed25519 AAAA new"), machine("web-02")
    machine("web-03", ssh_host_key="ecdsa-sha2-nistp256 AAAA", ordered_host_key="ecdsa-sha2-nistp256 AAAA")
    path = tmp_path / ".known_hosts"
    path.write_text(f"{server.id} ssh-ed25519 AAAA old\n{other.id} ssh-ed25519 BBBB met\n")
    printed(keys=str(tmp_path))
    assert path.read_text() == f"{other.id} ssh-ed25519 BBBB met\n{server.id} ssh-ed25519 AAAA new\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_only_takes_a_host_name_that_is_unmistakable(seen):
    machine("web-01", ip_address="10.0.0.1")
    machine("WEB-01", workspace="staging", ip_address="10.0.0.2")
    machine("staging.web-01", ip_address="10.0.0.3")
    config = printed()
    assert seen(config, "web-01")["hostname"] == "web-01"
    assert seen(config, "production.web-01")["hostname"] == "10.0.0.1"
    assert seen(config, "staging.WEB-01")["hostname"] == "10.0.0.2"
    assert seen(config, "production.staging.web-01")["hostname"] == "10.0.0.3"


def test_it_leaves_out_a_server_without_an_address():
    machine("web-01", status="pending", ip_address=None)
    assert printed() == ""


def test_it_picks_a_workspace(seen):
    machine("web-01", ip_address="10.0.0.1")
    machine("web-01", workspace="staging", ip_address="10.0.0.2")
    assert seen(printed(workspace="staging"), "web-01")["hostname"] == "10.0.0.2"
    with pytest.raises(CommandError, match="There is no workspace nowhere"):
        printed(workspace="nowhere")


def test_it_logs_in_with_the_workspace_s_key_and_no_other(seen, tmp_path):
    keys = tmp_path / "of % the fleet" / "keys"
    server = machine("web-01")
    machine("web-01", workspace="staging")
    config = printed(keys=str(keys))
    found = seen(config, "production.web-01")
    assert found["identityfile"].replace("%%", "%") == str(keys / "production")
    assert found["userknownhostsfile"].replace("%%", "%").strip('"') == str(keys / ".known_hosts")
    assert found["identitiesonly"] == "yes"
    done = subprocess.run(["ssh-keygen", "-y", "-f", keys / "production"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[:2] == public_key(server.workspace).split()[:2]
    assert (keys / "staging").read_text() != (keys / "production").read_text()


def test_it_prints_no_key_and_lets_only_its_owner_read_one(tmp_path, capfd):
    machine("web-01")
    path = tmp_path / "keys" / "production"
    path.parent.mkdir(mode=0o755)
    path.write_text("something much longer than any key" * 100)
    path.chmod(0o644)
    config = printed(keys=str(path.parent))
    written = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert written.startswith("-----BEGIN OPENSSH") and written.endswith("-----END OPENSSH PRIVATE KEY-----\n")
    body = written.splitlines()[1]
    assert body not in config and body not in "".join(capfd.readouterr())


def test_it_writes_the_keys_it_names_only(tmp_path):
    machine("web-01")
    machine("web-01", workspace="staging")
    printed(keys=str(tmp_path / "keys"), workspace="staging")
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["staging"]


def test_it_follows_no_link_with_a_key(tmp_path):
    machine("web-01")
    (tmp_path / "production").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommandError, match="cannot be written"):
        printed(keys=str(tmp_path))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a${HOME}b"])
def test_it_refuses_a_directory_that_openssh_cannot_be_given(name, tmp_path):
    machine("web-01")
    with pytest.raises(CommandError, match="choose another directory"):
        printed(keys=str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_it_says_that_a_key_cannot_be_opened(tmp_path, settings):
    public_key(machine("web-01").workspace)
    settings.CREDENTIALS_KEYS = ["another"]
    with pytest.raises(CommandError, match="workspace production keeps sealed cannot be opened"):
        printed(keys=str(tmp_path))
    assert Workspace.objects.get().ssh_public_key
