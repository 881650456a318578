"""Comparing an account's machines with its servers: one list, whatever the number of servers."""

from __future__ import annotations

from datetime import datetime

from apps.operations.models import Event
from apps.operations.steps import Context, Done
from apps.providers.drivers.base import Machine
from apps.providers.handlers import connected
from apps.providers.models import Account
from apps.servers.models import Server
from apps.servers.services import drift, orphans

MOST_LOOKS = 50


def compare_servers(context: Context) -> Done:
    """List the account's machines once, and let servers and orphans say what is found.

    A server that the list does not show is looked at itself before it counts as gone, `MOST_LOOKS` of them a
    comparison: the next one goes on with the rest.
    """
    account = Account.objects.get(pk=context.params["account"])
    began = drift.clock(account)
    servers = drift.comparable(account, began)
    with connected(account) as cloud:
        machines = cloud.list()
        mine = matched(servers, machines)
        unseen = [server for server in servers if server.pk not in mine and server.ref and server.drift != "gone"]
        looked = {server.pk: cloud.get(server.ref) for server in unseen[:MOST_LOOKS]}
    context.log(f"{account} has {len(machines)} machines, {len(servers)} servers are compared.")
    tell_unproven(context, unseen[MOST_LOOKS:])
    drifted = [server.pk for server in servers if found_drifted(context, server, mine | looked, began)]
    strays = orphans.note_orphans(account, machines, began)
    for orphan in strays:
        line = f"{orphan.ref} ({orphan.hostname}) carries our mark and belongs to no server."
        context.log(line, level=Event.Level.WARNING, orphan=orphan.pk)
    drift.note_compared(account, began)
    return Done({"servers": len(servers), "drifted": drifted, "orphans": [orphan.pk for orphan in strays]})


def matched(servers: list[Server], machines: list[Machine]) -> dict[str, Machine]:
    """Return the servers' machines by the servers' ids; one that has no machine yet is known by its mark."""
    by_ref = {machine.ref: machine for machine in machines}
    by_mark = {machine.server_id: machine for machine in reversed(machines)}
    pairs = [(server.pk, by_ref.get(server.ref) if server.ref else by_mark.get(server.pk)) for server in servers]
    return {id: machine for id, machine in pairs if machine is not None}


def tell_unproven(context: Context, servers: list[Server]) -> None:
    """Say which servers the list does not show that were not looked at."""
    if servers:
        line = f"{len(servers)} more servers are not in the list; the next comparison looks at them."
        context.log(line, level=Event.Level.WARNING, servers=[server.pk for server in servers])


def found_drifted(context: Context, server: Server, known: dict[str, Machine | None], began: datetime) -> bool:
    """Note what is found of a server and say it; True when it has drifted. What is not known stays as it is."""
    machine = known.get(server.pk)
    verdict = drift.judge(server, machine) if server.pk in known else None
    if verdict is None:
        if server.drift:
            context.log(f"{server.hostname}: {server.drift_note}", server=server.pk, drift=server.drift)
        return bool(server.drift)
    if drift.is_news(server, verdict, machine) and not drift.note_verdict(server, verdict, machine, began):
        return False
    if verdict.said:
        level = Event.Level.WARNING if verdict.drift else Event.Level.INFO
        context.log(verdict.said, level=level, server=server.pk, ref=server.ref, drift=verdict.drift)
    return bool(verdict.drift)
