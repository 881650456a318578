"""Comparing an account's machines with its servers: one list, whatever the number of servers."""

from __future__ import annotations

from datetime import datetime

from apps.operations.handler_api import Context, Done, Wait
from apps.operations.models import Event
from apps.providers.drivers.base import Machine
from apps.providers.handlers import connected
from apps.providers.models import CloudAccount
from apps.servers.handlers.listing import list_machines
from apps.servers.models import Server
from apps.servers.services import drift, orphans

MAX_LOOKS = 50
TURN_SECONDS, CHANGED_SECONDS = 1.0, 5.0


def compare_servers(context: Context) -> Done | Wait:
    """List the account's machines once, and let servers and orphans say what is found.

    It waits for its turn to list them, and for a list that does not change while it is read.

    A server that the list does not show is looked at itself before it counts as gone, `MAX_LOOKS` of them a
    comparison: the next one goes on with the rest.
    """
    account = CloudAccount.objects.get(pk=context.params["account"])
    began = drift.clock(account)
    servers = drift.comparable(account, began)
    listing = list_machines(context, account, pause=False)
    if listing is None:
        return Wait(TURN_SECONDS, message=f"the machines of {account} are being listed by another operation")
    if not listing.complete:
        return Wait(CHANGED_SECONDS, message=f"machines of {account} came or went while they were listed")
    machines = listing.machines
    with connected(account) as cloud:
        mine = matched(servers, machines)
        unseen = [server for server in servers if server.pk not in mine and server.ref and server.drift != "gone"]
        looked: dict[str, Machine | None] = {server.pk: cloud.get(server.ref) for server in unseen[:MAX_LOOKS]}
    context.log(f"{account} has {len(machines)} machines, {len(servers)} servers are compared.")
    tell_unproven(context, unseen[MAX_LOOKS:])
    drifted = [server.pk for server in servers if found_drifted(context, server, {**mine, **looked}, began)]
    known = set(account.orphans.values_list("pk", flat=True))
    strays = orphans.note_orphans(account, machines, began)
    for orphan in strays:
        if orphan.pk in known:
            continue
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
    """Note what is found of a server, and log it when it is news; True when it has drifted.

    What is not known stays as it is.
    """
    machine = known.get(server.pk)
    verdict = drift.judge(server, machine) if server.pk in known else None
    if verdict is None:
        return bool(server.drift)
    if drift.is_news(server, verdict, machine) and not drift.note_verdict(server, verdict, machine, began):
        return False
    if verdict.message and (verdict.drift, verdict.note[:255]) != (server.drift, server.drift_note):
        level = Event.Level.WARNING if verdict.drift else Event.Level.INFO
        context.log(verdict.message, level=level, server=server.pk, ref=server.ref, drift=verdict.drift)
    return bool(verdict.drift)
