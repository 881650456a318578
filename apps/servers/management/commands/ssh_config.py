"""Print an OpenSSH configuration for the servers."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.servers.models import Server
from apps.servers.services import hosts
from apps.servers.services.host_keys import known_host_keys
from apps.servers.services.ssh import KNOWN_HOSTS, ssh_config
from apps.system.encryption import SealBroken
from apps.workspaces.models import Workspace
from apps.workspaces.services import private_key

UNQUOTABLE = re.compile(r"[\"\\$\x00-\x1f]")


class Command(BaseCommand):
    help = """Print an OpenSSH configuration with an entry for each server that has an address. Use it on its own:
manage.py ssh_config --keys ~/.ssh/provisioning > fleet.conf; ssh -F fleet.conf production.web-01"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", help="only the servers of this workspace")
        parser.add_argument(
            "--keys",
            metavar="DIR",
            help="write each workspace's private key to DIR/<workspace>, readable by its owner only, and log in with it"
            ", and known host keys to DIR/.known_hosts",
        )

    def handle(self, *args: Any, workspace: str | None, keys: str | None, **options: Any) -> None:
        servers = Server.objects.all() if workspace is None else Server.objects.filter(workspace=named(workspace))
        found = hosts.hosts(servers)
        folder = None if keys is None else Path(keys).expanduser().absolute()
        if folder is not None:
            write_keys(folder, Workspace.objects.filter(name__in={host.workspace for host in found}))
            if known := known_host_keys(servers):
                write_known_hosts(folder / KNOWN_HOSTS, known)
        self.stdout.write(ssh_config(found, keys=folder), ending="")


def named(name: str) -> Workspace:
    """Return a workspace. Raises CommandError."""
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        raise CommandError(f"There is no workspace {name}.")
    return workspace


def write_keys(folder: Path, workspaces: Iterable[Workspace]) -> None:
    """Write the private key of each workspace to a file of its name. Raises CommandError."""
    if UNQUOTABLE.search(str(folder)):
        raise CommandError(f"OpenSSH's configuration cannot name {str(folder)!r}; choose another directory.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for workspace in workspaces:
            write_private(folder / workspace.name, private_key(workspace))
    except OSError as error:
        raise CommandError(f"The keys cannot be written to {folder}: {error.strerror}.") from None
    except SealBroken as error:
        raise CommandError(error.text) from None


def write_known_hosts(path: Path, known: dict[str, str]) -> None:
    """Write host keys by the servers' ids; lines about other hosts stay. Raises CommandError."""
    try:
        lines = path.read_text().splitlines() if path.exists() else []
        lines = [line for line in lines if line.partition(" ")[0] not in known]
        write_private(path, "".join(f"{line}\n" for line in [*lines, *map(" ".join, known.items())]))
    except OSError as error:
        raise CommandError(f"The host keys cannot be written to {path}: {error.strerror}.") from None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whatever was there before; no link is followed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.truncate()
        file.write(text)
