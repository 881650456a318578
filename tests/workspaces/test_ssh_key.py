"""The key pair of a workspace, which opens its machines."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from apps.system.encryption import SealBroken
from apps.workspaces import services
from apps.workspaces.models import Workspace
from tests.console import browser, page, seeded


def test_it_makes_one_pair_and_keeps_it(workspace):
    public = services.public_key(Workspace.objects.get())
    assert public.startswith("ssh-ed25519 ") and public.endswith(" provisioning-production")
    assert services.public_key(Workspace.objects.get()) == public


def test_its_halves_fit(workspace):
    key = load_ssh_private_key(services.private_key(workspace).encode(), password=None)
    derived = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert services.public_key(workspace).startswith(derived)


def test_whoever_comes_second_gets_the_first_pair(workspace):
    early, late = Workspace.objects.get(), Workspace.objects.get()
    public = services.public_key(early)
    assert services.public_key(late) == public
    assert Workspace.objects.get().ssh_public_key == public


def test_it_is_sealed(workspace, settings):
    services.private_key(workspace)
    stored = Workspace.objects.get()
    assert "PRIVATE KEY" not in stored.sealed_ssh_key
    settings.CREDENTIALS_KEYS = ["another key than the one it was sealed with"]
    with pytest.raises(SealBroken, match="workspace production"):
        services.private_key(stored)


def test_the_admin_shows_the_public_half_only(workspace, db):
    public = services.public_key(workspace)
    shown = browser(seeded("chief", "admin")).get(page(workspace)).content.decode()
    assert public in shown
    assert Workspace.objects.get().sealed_ssh_key not in shown and "PRIVATE KEY" not in shown
