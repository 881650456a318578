"""The fleet as an Ansible inventory and as Prometheus' targets."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from apps.servers.hostnames import reserved_as
from apps.servers.services.hosts import Host, names_of

UNSAFE = re.compile(r"[^A-Za-z0-9_]")
META = "__meta_provisioning_"
MAX_DIGITS = 64  # of SHA-256
FACTS = ("id", "hostname", "workspace", "account", "provider", "plan", "zone")


# ── Ansible ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def inventory(hosts: Iterable[Host], *, qualified: bool = True) -> dict[str, Any]:
    """Return what an inventory script prints for `--list`.

    Hosts are named `<workspace>.<hostname>`, or by the bare host name when `qualified` is false, which is for hosts of
    one workspace; `host_name` has the exceptions. Groups are `workspace_…`, `provider_…`, `zone_…`, `plan_…`,
    `status_…`, `tag_…` and what apps above group by.
    """
    members: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    variables: dict[str, dict[str, Any]] = {}
    for host in hosts:
        name = host_name(host, qualified=qualified)
        variables[name] = hostvars(host)
        for group in names_of(host):
            members[group].append(name)
    names = group_names(members)
    groups = {names[group]: {"hosts": found} for group, found in sorted(members.items())}
    return {"_meta": {"hostvars": variables}, **groups}


def host_name(host: Host, *, qualified: bool) -> str:
    """Return a host's name; one that means something else to Ansible gets the server's id at its end.

    No other host has such a name, for the last part of a host name holds no `_`, and no group, for an id has a hyphen.
    """
    name = host.qualified if qualified else host.hostname
    return f"{name}_{host.id}" if reserved_as(name) else name


def hostvars(host: Host) -> dict[str, Any]:
    """Return how Ansible reaches a host, and what is known of it."""
    facts: dict[str, Any] = {name: getattr(host, name) for name in (*FACTS, "status", "tags")}
    facts["emulated"] = host.is_unreal
    facts |= {f"{kind}s": names for kind, names in host.groups.items()}
    reach = {"ansible_host": host.address, "ansible_port": host.ssh_port, "ansible_user": "root"}
    return reach | {f"provisioning_{name}": value for name, value in facts.items()}


def group_names(groups: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name groups as Ansible allows: letters, digits and `_`.

    Of several that would come to the same name, such as the tags `a-b` and `a.b`, each gets digits of its own hash at
    the end, so that none of them ever means the other. Where that is another's name, all of them get more digits.
    """
    plain = {(kind, name): UNSAFE.sub("_", f"{kind}_{name}") for kind, name in groups}
    names, digits = dict(plain), dict.fromkeys(plain, 0)
    for _ in range(MAX_DIGITS // 8):
        shared = {name for name, count in Counter(names.values()).items() if count > 1}
        for group in [group for group, name in names.items() if name in shared]:
            digits[group] += 8
            names[group] = f"{plain[group]}_{hash_of(group[1], digits[group])}"
    return names


def hash_of(name: str, digits: int) -> str:
    """Return so many hexadecimal digits that stand for a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:digits]


# ── Prometheus ────────────────────────────────────────────────────────────────────────────────────────────────────────
def targets(hosts: Iterable[Host], *, port: int) -> list[dict[str, Any]]:
    """Return one target group a host, as Prometheus' HTTP service discovery reads them.

    Every label's value is text; of several values each stands between commas (`,web,production,`), so that a rule can
    match `.*,web,.*`.
    """
    return [{"targets": [f"{in_url(host.address)}:{port}"], "labels": labels(host)} for host in hosts]


def labels(host: Host) -> dict[str, str]:
    """Return what relabelling can choose from."""
    facts = {name: getattr(host, name) for name in FACTS}
    facts |= {"tags": listed(host.tags), "emulated": str(host.is_unreal).lower()}
    facts |= {f"{kind}s": listed(names) for kind, names in host.groups.items()}
    return {META + name: value for name, value in facts.items()}


def listed(names: list[str]) -> str:
    """Return several values as one."""
    return f",{','.join(names)}," if names else ""


def in_url(address: str) -> str:
    """Return an address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
