"""The first contact with a server whose SSH host key came with its order: it makes one of its own, which is pinned.

See `apps.servers.services.host_keys`. Each step can be done again, so that a run may end between any two of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from apps.taskservs.ansible import ssh
from apps.taskservs.ansible.host_control import Unreachable
from apps.taskservs.ansible.playbook import Target

STEP_SECONDS, AGAIN_SECONDS = 20.0, 0.3
RELOAD = r"""
systemctl reload ssh.service 2>/dev/null || systemctl reload sshd.service 2>/dev/null ||
    kill -HUP "$(cat /run/sshd.pid 2>/dev/null || cat /var/run/sshd.pid)"
"""
# A key that the machine has made already stays: people may know it.
MAKE_KEY = rf"""
own=/etc/ssh/ssh_host_ed25519_key
if ! ssh-keygen -y -P '' -f "$own" >/dev/null 2>&1; then
    rm -f "$own" "$own.pub" "$own.new" "$own.new.pub"
    ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f "$own.new" </dev/null || exit 3
    mv "$own.new.pub" "$own.pub" && mv "$own.new" "$own" || exit 3
fi
{RELOAD.strip()}
ssh-keygen -y -P '' -f "$own"
"""
# $1 is the body of the public key that came with the order: no other key is removed.
REMOVE_ORDERED_KEY = rf"""
ordered=/etc/ssh/ssh_host_ecdsa_key
[ -e "$ordered" ] || exit 0
[ "$(ssh-keygen -y -P '' -f "$ordered" | cut -d' ' -f2)" = "$1" ] || exit 0
rm -f "$ordered" "$ordered.pub" /etc/ssh/sshd_config.d/ordered-host-key.conf || exit 3
{RELOAD.strip()}
"""


def make_own_key(folder: Path, target: Target, *, until: float, go_on: Callable[[], bool]) -> str:
    """Have a server make its own host key and serve it; returns the public key. Raises Unreachable.

    It is read over a connection at which the server has proved to have the key that is known.
    """
    output = repeated(folder, target, MAKE_KEY, until=until).splitlines()
    own = next((line.strip() for line in output if line.startswith("ssh-ed25519 ")), "")
    if not own:
        raise Unreachable(f"{target.hostname} did not say which SSH host key it has made.")
    served = ssh.scan(replace(target, host_key=own), until=until, go_on=go_on)
    if served.split()[:2] != own.split()[:2]:
        raise Unreachable(f"{target.hostname} does not serve the SSH host key that it has made.")
    return own


def remove_ordered_key(folder: Path, target: Target, *, until: float) -> None:
    """Remove the key that came with the order, over a connection that compares the server's own. Raises Unreachable."""
    repeated(folder, target, REMOVE_ORDERED_KEY, target.ordered_host_key.split()[1], until=until)


def repeated(folder: Path, target: Target, script: str, *arguments: str, until: float) -> str:
    """Run a script on a server, again where there is no connection; returns its output. Raises Unreachable."""
    while True:
        result = ssh.run_script(folder, target, script, *arguments, seconds=STEP_SECONDS, shared=False)
        if result.code == 0:
            return result.output
        if result.reached or time.monotonic() > until:
            reason = result.output.splitlines()[-1:] or [f"exit code {result.code}"]
            raise Unreachable(f"{target.hostname} could not be given an SSH host key of its own: {reason[0][:200]}.")
        time.sleep(AGAIN_SECONDS)
