"""Real SSH into real machines."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.workspaces.services import private_key

OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "5",
    "IdentitiesOnly": "yes",
    "KexAlgorithms": "curve25519-sha256",  # a tenth of the work of the usual one, which is for secrets of years
    "StrictHostKeyChecking": "accept-new",
    "LogLevel": "ERROR",
}


@dataclass(frozen=True)
class Client:
    """OpenSSH's client with a workspace's key; knows the hosts it has met, and nobody else's."""

    folder: Path

    @classmethod
    def of(cls, workspace, folder):
        if not shutil.which("ssh"):
            pytest.skip("no SSH client here; install openssh-client")
        key = folder / "key"
        key.write_text(private_key(workspace))
        key.chmod(0o600)
        return cls(folder)

    @property
    def options(self):
        options = OPTIONS | {
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "IdentityFile": str(self.folder / "key"),
        }
        return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]

    def run(self, server, command, *more, seconds=60):
        """Run a command as root on a server; gives what it printed, or fails with what it complained about."""
        done = self.tried(server, command, *more, seconds=seconds)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def tried(self, server, command, *more, seconds=60):
        words = ["ssh", *more, *self.options, "-p", str(server.ssh_port), f"root@{server.ip_address}", command]
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
