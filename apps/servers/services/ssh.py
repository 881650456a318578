"""The fleet as an OpenSSH client's configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from apps.servers.hostnames import reserved_as
from apps.servers.services.hosts import Host

OWN_KNOWN_HOSTS, KNOWN_HOSTS = "~/.ssh/known_hosts_provisioning", ".known_hosts"


def ssh_config(hosts: Iterable[Host], *, keys: Path | None = None) -> str:
    """Return an entry for each host, named `<workspace>.<hostname>` and, where that is unmistakable, its host name.

    OpenSSH is case-sensitive, so a host name with capitals is listed in lower case too.

    Host keys are remembered by the server's id in a file of their own, for clouds give addresses to others later.
    With `keys`, a directory, each entry logs in with the file there that is named after the workspace, and with
    nothing else, and host keys are looked up in its file `KNOWN_HOSTS`.
    """
    hosts = list(hosts)
    known_hosts = OWN_KNOWN_HOSTS if keys is None else quoted(keys / KNOWN_HOSTS)
    names = Counter(name.lower() for host in hosts for name in {host.hostname, host.qualified})
    return "\n".join(entry(host, names, known_hosts, keys) for host in hosts)


def entry(host: Host, names: Counter[str], known_hosts: str, keys: Path | None) -> str:
    """Return one host's lines."""
    plain = [host.qualified] + [host.hostname] * (names[host.hostname.lower()] == 1 and not reserved_as(host.hostname))
    aliases = dict.fromkeys(
        alias for name in plain for alias in (name, name.replace(host.hostname, host.hostname.lower()))
    )
    options = {
        "HostName": host.address,
        "Port": host.ssh_port,
        "User": "root",
        "HostKeyAlias": host.id,
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": known_hosts,
    }
    if keys is not None:
        options |= {"IdentityFile": quoted(keys / host.workspace), "IdentitiesOnly": "yes"}
    return f"Host {' '.join(aliases)}\n" + "".join(f"    {name} {value}\n" for name, value in options.items())


def quoted(path: Path) -> str:
    """Return a path as OpenSSH's configuration takes it, where `%` begins a token."""
    return '"' + str(path).replace("%", "%%") + '"'
