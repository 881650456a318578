"""OpenSSH for runs: known host keys, a private configuration, and scripts run on a server."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.taskservs.ansible.playbook import Target, write_private

# The types of host keys that are accepted, the preferred one first, and what ssh-keyscan calls them.
KEY_TYPES = {"ssh-ed25519": "ed25519", "ecdsa-sha2-nistp256": "ecdsa"}
SCAN_SECONDS, LOOK_SECONDS = 5, 0.5
UNREACHABLE_CODE = 255  # of ssh, when there was no connection
OPTIONS = """\
IdentitiesOnly yes
IdentityAgent none
ForwardAgent no
ForwardX11 no
ClearAllForwardings yes
PermitLocalCommand no
BatchMode yes
PasswordAuthentication no
StrictHostKeyChecking yes
UpdateHostKeys no
GlobalKnownHostsFile /dev/null
UserKnownHostsFile {folder}/known_hosts
ConnectTimeout 10
ServerAliveInterval 5
ServerAliveCountMax 3
ControlMaster auto
ControlPersist 60
ControlPath {folder}/%C
LogLevel ERROR
"""


@dataclass(frozen=True)
class ScriptResult:
    """What a script on a server came to; `reached` is false when there was no connection."""

    code: int
    output: str
    reached: bool


def write_files(folder: Path, targets: Sequence[Target], keys: dict[int, str]) -> None:
    """Write the configuration, the known host keys, and the workspaces' private keys by the workspaces' ids."""
    write_private(folder / "ssh_config", OPTIONS.format(folder=folder))
    write_known_hosts(folder, targets)
    for workspace, key in keys.items():
        write_private(folder / f"key-{workspace}", key)


def write_known_hosts(folder: Path, targets: Sequence[Target]) -> None:
    """Write the known host keys, in place of those that were known before."""
    path = folder / "known_hosts"
    path.unlink(missing_ok=True)
    write_private(path, "".join(f"{known_as(target)} {target.host_key}\n" for target in targets))


def known_as(target: Target) -> str:
    """Return a server's name in `known_hosts`."""
    return target.address if target.port == 22 else f"[{target.address}]:{target.port}"


def scan(target: Target, *, until: float, go_on: Callable[[], bool] = lambda: True) -> str:
    """Return the SSH host key that a server presents, waiting for its port; empty when none came.

    Of a server whose key is known it is the one of the same type, or in the end another that was presented. `until` is
    of time.monotonic(); it also ends when `go_on` says so.
    """
    known, other = target.host_key.partition(" ")[0], ""
    wanted = types = [known] if known in KEY_TYPES else list(KEY_TYPES)
    while go_on():
        keys = presented(target, types)
        types = list(KEY_TYPES)  # each is a connection with an exchange of keys: the others only when they are needed
        for name in wanted:
            if key := keys.get(name):
                return key
        other = next(iter(keys.values()), other)
        if time.monotonic() + LOOK_SECONDS > until:
            break
        time.sleep(LOOK_SECONDS)
    return other


def presented(target: Target, types: Iterable[str] = KEY_TYPES) -> dict[str, str]:
    """Return the SSH host keys of these types that a server presents now, by type."""
    asked = ",".join(KEY_TYPES[name] for name in types)
    command = ["ssh-keyscan", "-T", str(SCAN_SECONDS), "-t", asked, "-p", str(target.port), target.address]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
    lines = [line.partition(" ") for line in done.stdout.decode(errors="replace").splitlines()]
    keys = [key.strip() for name, _, key in lines if name and not name.startswith("#")]
    return {name: key for key in keys if (name := key.partition(" ")[0]) in KEY_TYPES}


def fingerprint(key: str) -> str:
    """Return a public key's fingerprint as OpenSSH shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def run_script(
    folder: Path, target: Target, script: str, *arguments: str, seconds: float, shared: bool = True
) -> ScriptResult:
    """Run a shell script on a server as root, within so many seconds; its arguments are plain words.

    It takes the connection that is there, or without `shared` one of its own, at which the host key is compared again.
    """
    command = ["ssh", "-F", str(folder / "ssh_config"), "-i", str(folder / target.key_name), "-p", str(target.port)]
    command += [] if shared else ["-o", "ControlPath=none"]
    command += [f"root@{target.address}", "/bin/sh", "-s", "--", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - the address is a server's, checked when it was stored
            command, input=script.encode(), capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return ScriptResult(-1, "", reached=False)
    output = (done.stdout + done.stderr).decode(errors="replace").strip()
    return ScriptResult(done.returncode, output, reached=done.returncode != UNREACHABLE_CODE)
