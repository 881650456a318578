"""Creating and finding workspaces."""

from __future__ import annotations

import posixpath
import re
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.system.database import integrity_error_as
from apps.system.encryption import seal, unseal
from apps.workspaces.errors import AnotherActivated, BadPath, NameTaken, PathTaken, UnknownWorkspace
from apps.workspaces.models import Workspace

PATH = re.compile(r"/[A-Za-z0-9_.@+-]+(/[A-Za-z0-9_.@+-]+)*")


@transaction.atomic
def create_workspace(*, name: str, path: str, activate: bool = False) -> Workspace:
    """Create a workspace and, when asked, move the active mark to it.

    Raises BadPath, NameTaken, PathTaken, AnotherActivated.
    """
    if not PATH.fullmatch(path) or posixpath.normpath(path) != path:
        raise BadPath(name=name, field="path")
    if Workspace.objects.filter(name=name).exists():
        raise NameTaken(name=name)
    name_taken = integrity_error_as(NameTaken(name=name), "workspaces_workspace_name_key")
    with name_taken, integrity_error_as(PathTaken(path=path), "workspaces_workspace_path_key"):
        workspace = Workspace.objects.create(name=name, path=path)
    if activate:
        activate_workspace(workspace=workspace)
    return workspace


@transaction.atomic
def activate_workspace(*, workspace: Workspace) -> None:
    """Make this the one active workspace. Raises AnotherActivated."""
    Workspace.objects.filter(active=True).exclude(pk=workspace.pk).update(active=False)
    with integrity_error_as(AnotherActivated(), "one_active_workspace"):
        Workspace.objects.filter(pk=workspace.pk).update(active=True)
    workspace.active = True


def workspace_named(name: str) -> Workspace:
    """Return the workspace that a request's body names. Raises UnknownWorkspace (400)."""
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        raise UnknownWorkspace(name=name, field="workspace")
    return workspace


def mark_used(workspace: Workspace) -> None:
    """Note that work was submitted in it; once a second is enough, for whole seconds are shown."""
    now = timezone.now()
    if workspace.last_used_at and workspace.last_used_at >= now - timedelta(seconds=1):
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(seconds=1))
    Workspace.objects.filter(stale, pk=workspace.pk).update(last_used_at=now)
    workspace.last_used_at = now


# ── the key to its machines ───────────────────────────────────────────────────────────────────────────────────────────
def public_key(workspace: Workspace) -> str:
    """Return the workspace's OpenSSH public key, making the pair when it has none yet."""
    if not workspace.ssh_public_key:
        public, private = new_key_pair(workspace.name)
        keyless = Workspace.objects.filter(pk=workspace.pk, ssh_public_key="")
        keyless.update(ssh_public_key=public, sealed_ssh_key=seal(private))
        workspace.refresh_from_db(fields=["ssh_public_key", "sealed_ssh_key"])
    return workspace.ssh_public_key


def private_key(workspace: Workspace) -> str:
    """Return the workspace's private key in OpenSSH's format. Raises SealBroken."""
    public_key(workspace)
    return unseal(workspace.sealed_ssh_key, what=f"workspace {workspace}")


def new_key_pair(comment: str) -> tuple[str, str]:
    """Return a new Ed25519 key pair, public and private, in OpenSSH's formats."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} provisioning-{comment}", private
