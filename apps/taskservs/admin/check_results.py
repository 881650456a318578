"""What a check has found, host by host: each task that would change something, with the difference in its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.operations.admin import register_result_view
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.redaction import redact
from apps.taskservs.services.configure import CONFIGURE
from apps.taskservs.services.create import CREATE
from apps.taskservs.services.delete import DELETE
from apps.taskservs.services.upgrade import UPGRADE

CHECKED = (CREATE, CONFIGURE, UPGRADE, DELETE)
SIDES = {"+": "added", "-": "removed", "@": "place"}


@dataclass
class HostChanges:
    """The changes on one host."""

    hostname: str
    changes: list[dict[str, Any]] = field(default_factory=list)


def changes_of(operation: Operation) -> SafeString | None:
    """Show what a completed check has found; None for anything else."""
    result = operation.result if isinstance(operation.result, dict) else {}
    if not operation.check_mode or not isinstance(result.get("changes"), list):
        return None
    hosts = {name: HostChanges(name) for name in hostnames(operation)}
    for change in redact(result["changes"]):
        host = hosts.setdefault(change["server"], HostChanges(change["server"]))
        action = change.get("action", "").removeprefix("ansible.builtin.")
        host.changes.append({**change, "action": action, "lines": lines_of(change.get("diff", ""))})
    return SafeString(render_to_string("admin/taskservs/check_results.html", {"hosts": hosts.values()}))


def hostnames(operation: Operation) -> list[str]:
    """Return the names of the servers that were checked, also of those on which nothing would change."""
    ids = {id for part in operation.params.get("plan", []) for id in part["hosts"]}
    return list(Server.objects.filter(pk__in=ids).order_by("hostname").values_list("hostname", flat=True))


def lines_of(diff: str) -> list[tuple[str, str]]:
    """Return the lines of a unified diff, each with what it is: added, removed, place, file or nothing of these."""
    return [
        ("file" if line.startswith(("+++", "---")) else SIDES.get(line[:1], ""), line) for line in diff.splitlines()
    ]


for kind in CHECKED:
    register_result_view(kind, changes_of)
