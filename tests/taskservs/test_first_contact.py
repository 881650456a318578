"""The first contact with a machine whose SSH host key came with its order."""

import time
from pathlib import Path
from tempfile import mkdtemp

import pytest

from apps.servers.models import Server
from apps.servers.services.host_keys import new_host_key
from apps.taskservs.ansible import first_contact, ssh
from apps.taskservs.ansible.host_control import HostKeyChanged
from apps.taskservs.ansible.servers import RunServers, targets_of
from tests.operations.fleet import eventually
from tests.ssh import Client

pytestmark = pytest.mark.slow
STRICT = ("-o", "StrictHostKeyChecking=yes")


@pytest.fixture
def ordered(transactional_db, real_servers):
    """A server whose machine has the host key of its order."""
    public, private = new_host_key()
    [server] = real_servers("web-01", fresh=True, host_key=private)
    Server.objects.filter(pk=server.pk).update(ssh_host_key=public, ordered_host_key=public)
    server.refresh_from_db()
    return server


@pytest.fixture
def meet(tmp_path):
    """Have another run meet the server; gives the run's servers."""

    def go(server):
        met = RunServers(Path(mkdtemp(dir=tmp_path)), targets_of([server.id]), lambda: True)
        assert met.meet() == {}
        return met

    return go


def served(server, kind):
    """The key of one type that the server presents, once it answers: for a moment after a reload it does not."""
    [target] = targets_of([server.id])
    return eventually(lambda: ssh.presented(target)).get(kind, "").split()


def test_its_own_key_takes_the_place_of_the_one_that_was_ordered(ordered, meet, tmp_path):
    person = Client.of(ordered.workspace, tmp_path)
    person.run(ordered, "true")
    ordered_key = ordered.ssh_host_key

    assert meet(ordered).replace_ordered_keys() == {}
    ordered.refresh_from_db()
    assert ordered.ordered_host_key == ""
    assert ordered.ssh_host_key.split()[:2] == served(ordered, "ssh-ed25519") != ordered_key.split()
    assert served(ordered, "ecdsa-sha2-nistp256") == []
    left = person.run(ordered, "ls /etc/ssh/*ecdsa* /etc/ssh/sshd_config.d; sshd -t 2>&1", *STRICT)
    assert left.splitlines()[-2:] == ["/etc/ssh/sshd_config.d:", "machine.conf"], "who has met it before goes on"
    assert meet(ordered).replace_ordered_keys() == {}


def test_a_run_may_end_between_any_two_steps(ordered, meet):
    known, until = ordered.ssh_host_key, time.monotonic() + 30
    met = meet(ordered)
    [target] = met.targets
    own = first_contact.make_own_key(met.folder, target, until=until, go_on=lambda: True)
    ordered.refresh_from_db()
    assert ordered.ssh_host_key == known, "the run ended before it was pinned"

    met = meet(ordered)
    [target] = met.targets
    assert first_contact.make_own_key(met.folder, target, until=until, go_on=lambda: True) == own
    Server.objects.filter(pk=ordered.pk).update(ssh_host_key=own)
    assert served(ordered, "ecdsa-sha2-nistp256") == known.split(), "the run ended before the other was removed"

    assert meet(ordered).replace_ordered_keys() == {}
    ordered.refresh_from_db()
    assert (ordered.ssh_host_key, ordered.ordered_host_key) == (own, "")
    assert served(ordered, "ecdsa-sha2-nistp256") == []


def test_a_machine_with_another_key_is_refused(ordered, tmp_path):
    another, _ = new_host_key()
    Server.objects.filter(pk=ordered.pk).update(ssh_host_key=another)
    met = RunServers(tmp_path, targets_of([ordered.id]), lambda: True)
    [fault] = met.meet().values()
    assert isinstance(fault, HostKeyChanged) and "web-01 presents another SSH host key (SHA256:" in str(fault)
    assert not (tmp_path / "ssh_config").exists(), "nothing was sent to it"


def test_a_machine_with_a_key_of_another_type_is_refused_in_the_end(ordered, meet, tmp_path, monkeypatch):
    before = ordered.ssh_host_key
    assert meet(ordered).replace_ordered_keys() == {}
    Server.objects.filter(pk=ordered.pk).update(ssh_host_key=before)
    monkeypatch.setattr("apps.taskservs.ansible.servers.REACH_SECONDS", 1.0)
    [fault] = RunServers(tmp_path, targets_of([ordered.id]), lambda: True).meet().values()
    assert isinstance(fault, HostKeyChanged), "as after the restore of an older database"


def test_no_key_but_the_ordered_one_is_removed(ordered, meet):
    met = meet(ordered)
    [target] = met.targets
    other, _ = new_host_key()
    stranger = type(target)(**{**vars(target), "ordered_host_key": other})
    first_contact.remove_ordered_key(met.folder, stranger, until=time.monotonic() + 30)
    assert served(ordered, "ecdsa-sha2-nistp256") == ordered.ssh_host_key.split()
