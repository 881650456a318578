"""Take a server for a run, and end what runs of Ansible have left on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from apps.taskservs.ansible import ssh
from apps.taskservs.ansible.playbook import Target

NOBODY = "nobody"
TAKE_SECONDS = 240.0
# $1 is the run that takes the server, or `nobody`; `repair` as $2 completes what dpkg was interrupted in. Nothing of
# another run starts once the file is written (plugins/connection). What is left is found by the slice that it runs in
# and by its environment: first asked to end, then killed, until nothing is left. A package whose files dpkg was
# unpacking is unpacked anew from apt's cache, or removed where it is not there; nothing is downloaded.
CLEAR = r"""
exec 9>/run/provisioning.lock
flock -w 90 9 || { echo "another run is being ended there"; exit 6; }
printf '%s\n' "$1" >/run/provisioning.run.new && mv /run/provisioning.run.new /run/provisioning.run || exit 3
left() {
    {
        grep -ls '/provisioning\.slice/' /proc/[0-9]*/cgroup
        grep -lsaz '^PROVISIONING_RUN=' /proc/[0-9]*/environ
    } | cut -d/ -f3 | sort -u
}
found=$(left | wc -l) signal=TERM turn=0
while pids=$(left) && [ -n "$pids" ]; do
    for pid in $pids; do kill -s "$signal" "$pid" 2>/dev/null; done
    turn=$((turn + 1))
    [ "$turn" -lt 8 ] || signal=KILL
    [ "$turn" -lt 40 ] || { echo "some processes cannot be ended:" $pids; exit 4; }
    sleep 0.1
done
[ ! -d /run/systemd/system ] || timeout 10 systemctl stop provisioning.slice 2>/dev/null
[ "$found" = 0 ] || rm -rf /root/.ansible/tmp
echo "ended $found"
[ "$2" = repair ] && command -v dpkg >/dev/null || exit 0
broken() { [ -n "$(dpkg --audit 2>/dev/null)" ] || [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ]; }
broken || exit 0
export DEBIAN_FRONTEND=noninteractive
repair() {
    dpkg --configure -a --force-confold
    for package in $(dpkg-query -W -f '${db:Status-Eflag} ${Package}\n' | sed -n 's/^reinstreq //p'); do
        file=$(ls -t /var/cache/apt/archives/"$package"_*.deb 2>/dev/null | head -n 1)
        if [ -n "$file" ]; then
            dpkg --unpack --force-depends --force-confold "$file"
        else
            dpkg --remove --force-depends --force-remove-reinstreq "$package"
        fi
    done
    dpkg --configure -a --force-confold
    broken && apt-get -qy --no-download -o Dpkg::Options::=--force-confold --fix-broken install
}
repair </dev/null >/run/provisioning-dpkg.log 2>&1 9>&-
broken || exit 7
exit 5
"""
REPAIRED, NOT_REPAIRED = 7, 5  # exit codes of the script


class HostKeyChanged(Exception):  # noqa: N818 - named for the fact
    """A server presents another SSH host key than the one that is pinned."""


class Unreachable(Exception):  # noqa: N818 - named for the fact
    """A server does not answer by SSH."""


def known_key(target: Target, pin: Callable[[str, str], str], *, until: float, go_on: Callable[[], bool]) -> str:
    """Wait for a server's SSH and return its host key; `pin(server_id, key)` stores a first one.

    Raises HostKeyChanged and Unreachable with a sentence.
    """
    presented = ssh.scan(target, until=until, go_on=go_on)
    if not presented:
        raise Unreachable(f"{target.hostname} does not answer by SSH at {target.address} port {target.port}.")
    known = target.host_key or pin(target.server_id, presented)
    if known.split()[:2] != presented.split()[:2]:
        raise HostKeyChanged(
            f"{target.hostname} presents another SSH host key ({ssh.fingerprint(presented)}) than the one known "
            f"({ssh.fingerprint(known)}): nothing was sent to it. If its key was really changed, forget the known one: "
            f"`manage.py forget_host_key {target.server_id}`."
        )
    return known


def clear(folder: Path, target: Target, *, holder: str, repair: bool, seconds: float) -> ssh.ScriptResult:
    """End what runs have left on a server, and let only `holder` run anything there from now on."""
    return ssh.run_script(folder, target, CLEAR, holder, "repair" if repair else "leave", seconds=seconds)


def take(folder: Path, target: Target, *, run: str, repair: bool, until: float) -> str:
    """Take a server for a run, once what earlier runs have left there is over; returns what was done, for the log.

    Tried again until then when there is no connection. Raises Unreachable.
    """
    while True:
        result = clear(folder, target, holder=run, repair=repair, seconds=TAKE_SECONDS)
        if is_cleared(result):
            return done(result)
        if result.reached or time.monotonic() > until:
            break
        time.sleep(1.0)
    raise Unreachable(f"{target.hostname} cannot be used: {reason(result)}.")


def is_cleared(result: ssh.ScriptResult) -> bool:
    """Tell whether nothing is left that runs, and no package is half installed."""
    return result.code in (0, REPAIRED)


def done(result: ssh.ScriptResult) -> str:
    """Return what clearing has done, nothing when there was nothing to do."""
    parts = [
        f"{line} processes" for line in result.output.splitlines() if line.startswith("ended ") and line != "ended 0"
    ]
    return ", ".join(parts + ["completed what dpkg was interrupted in"] * (result.code == REPAIRED))


def reason(result: ssh.ScriptResult) -> str:
    """Say why clearing did not work."""
    lines = result.output.splitlines()
    if result.code == NOT_REPAIRED:
        return "dpkg was interrupted and cannot complete its work: see /run/provisioning-dpkg.log there"
    if not result.reached:
        return lines[-1][:200] if lines else "it does not answer"
    return lines[-1][:300] if lines else f"its shell ended with code {result.code}"
