"""The servers of a run: meet them by SSH, take them for the run, and clear them; all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from django.db import connections

from apps.servers.models import Server
from apps.servers.services.host_keys import forget_ordered_host_key, pin_host_key, pin_own_host_key
from apps.taskservs.ansible import first_contact, host_control, ssh
from apps.taskservs.ansible.host_control import HostKeyChanged, Unreachable
from apps.taskservs.ansible.playbook import Target
from apps.workspaces.models import Workspace
from apps.workspaces.services import private_key

REACH_SECONDS, CLEAR_SECONDS, MAX_AT_ONCE = 30.0, 60.0, 16
Faults = dict[str, Exception]


def targets_of(server_ids: Iterable[str]) -> list[Target]:
    """Return the servers that have an address, in the order of their ids."""
    ids = list(server_ids)
    rows = Server.objects.exclude(ip_address=None).in_bulk(ids)
    return [
        Target(
            server_id=row.id,
            hostname=row.hostname,
            address=str(row.ip_address),
            port=row.ssh_port,
            workspace_id=row.workspace_id,
            host_key=row.ssh_host_key,
            ordered_host_key=row.ordered_host_key,
        )
        for id in ids
        if (row := rows.get(id))
    ]


class RunServers:
    """The servers of one run. `go_on` tells whether the run is still to go on: waits end when it is not."""

    def __init__(self, folder: Path, targets: list[Target], go_on: Callable[[], bool]):
        self.folder, self.targets, self.go_on = folder, targets, go_on
        self.can_connect = False

    def meet(self) -> Faults:
        """Wait for each server's SSH, compare its host key, and write what SSH needs; returns what went wrong."""
        until = time.monotonic() + REACH_SECONDS
        keys: dict[str, str] = {}

        def look(target: Target) -> None:
            keys[target.server_id] = host_control.known_key(target, pin_host_key, until=until, go_on=self.go_on)

        faults = self.on_each(look)
        if not faults:
            self.targets = [replace(target, host_key=keys[target.server_id]) for target in self.targets]
            self.write_ssh_files()
        return faults

    def replace_ordered_keys(self) -> Faults:
        """Pin an own host key of each server that still has the one of its order; returns what went wrong."""
        first = [target for target in self.targets if target.ordered_host_key]
        if not first:
            return {}
        until = time.monotonic() + REACH_SECONDS
        own: dict[str, str] = {}

        def make(target: Target) -> None:
            key = first_contact.make_own_key(self.folder, target, until=until, go_on=self.go_on)
            pin_own_host_key(target.server_id, known=target.host_key, own=key)
            own[target.server_id] = key

        def remove(target: Target) -> None:
            first_contact.remove_ordered_key(self.folder, target, until=until)
            forget_ordered_host_key(target.server_id)

        faults = self.on_each(make, first)
        self.targets = [replace(each, host_key=own.get(each.server_id, each.host_key)) for each in self.targets]
        ssh.write_known_hosts(self.folder, self.targets)
        own_keyed = [target for target in self.targets if target.server_id in own]
        return faults | self.on_each(remove, own_keyed)

    def write_ssh_files(self) -> None:
        """Write the workspaces' keys and the servers' known host keys."""
        workspaces = Workspace.objects.filter(pk__in={target.workspace_id for target in self.targets})
        ssh.write_files(self.folder, self.targets, {each.pk: private_key(each) for each in workspaces})
        self.can_connect = True

    def take(self, *, run: str, repair: bool) -> tuple[Faults, dict[str, str]]:
        """Take each server for the run; returns what went wrong, and what had to be ended on which server."""
        until = time.monotonic() + REACH_SECONDS
        ended: dict[str, str] = {}

        def one(target: Target) -> None:
            if said := host_control.take(self.folder, target, run=run, repair=repair, until=until):
                ended[target.hostname] = said

        return self.on_each(one), ended

    def clear(self, *, repair: bool) -> tuple[dict[str, str], dict[str, str]]:
        """End everything on the servers; returns, by hostname, what was done and why it is not known.

        A server whose host key is not known was never given anything to run.
        """
        done: dict[str, str] = {}
        unknown: dict[str, str] = {}
        if not self.can_connect:
            self.targets = [target for target in self.targets if target.host_key]
            self.write_ssh_files()

        def one(target: Target) -> None:
            nobody = host_control.NOBODY
            result = host_control.clear(self.folder, target, holder=nobody, repair=repair, seconds=CLEAR_SECONDS)
            if host_control.is_cleared(result):
                done[target.hostname] = host_control.done(result)
            else:
                unknown[target.hostname] = host_control.reason(result)

        self.on_each(one)
        return done, unknown

    def on_each(self, call: Callable[[Target], object], targets: list[Target] | None = None) -> Faults:
        """Call a function for each server, or each of `targets`, at once; returns what it raised of unusable ones."""
        targets = self.targets if targets is None else targets
        faults: Faults = {}

        def guarded(target: Target) -> None:
            try:
                call(target)
            except (Unreachable, HostKeyChanged) as fault:
                faults[target.hostname] = fault
            finally:
                connections.close_all()

        with ThreadPoolExecutor(max_workers=min(MAX_AT_ONCE, max(1, len(targets)))) as pool:
            list(pool.map(guarded, targets))
        return {name: faults[name] for name in sorted(faults)}
