"""Starting, stopping and rebooting machines: look, ask once, and wait until the cloud shows it.

An operation keeps in its state: `asked_at`, when the cloud was last asked; `answered`, that it consented; `again`, that
the request may be repeated at once; `down`, that a machine to be rebooted was seen not to run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.operations.steps import Context, Done, Wait
from apps.providers.drivers.base import Refused, Transient
from apps.providers.handlers import connected
from apps.servers import services
from apps.servers.handlers import look_at_all, look_at_one, poll
from apps.servers.models import Server
from apps.servers.services.power import MACHINE_GONE

RUNNING, STOPPED = "running", "stopped"
VERBS = {services.START: "start", services.STOP: "stop", services.REBOOT: "reboot"}
# From which states of a machine the cloud is asked; in any other it is on its way somewhere.
FROM = {"start": (STOPPED, "error"), "stop": (RUNNING, "error"), "reboot": (RUNNING,)}
# After these a request has certainly not been carried out.
NOTHING_DONE = ("PROVIDER_BUSY", "PROVIDER_RATE_LIMITED")


def start_server(context: Context) -> Done | Wait:
    """Bring the machine up, or find that it is; its address may be another one than before."""
    return switched(context, RUNNING)


def stop_server(context: Context) -> Done | Wait:
    """Bring the machine down, or find that it is; its disks stay."""
    return switched(context, STOPPED)


def switched(context: Context, wanted: str) -> Done | Wait:
    """Take one step towards the wanted state."""
    server = looked_at(context, wanted)
    if server.seen_state == wanted and (server.ip_address or wanted == STOPPED):
        return done(context, server, changed=bool(context.state.get("asked_at")))
    if may_ask(context, server):
        ask(context, server)
    return poll(context, f"{server.ref} is {server.seen_state} at {server.account}")


def reboot_server(context: Context) -> Done | Wait:
    """Take the machine down and up again, and wait until it runs.

    Not every cloud shows that a machine is down in between: one that was not seen so within `SETTLE_SECONDS` of the
    cloud's consent counts as rebooted.
    """
    sent = asked(context)
    over = sent and bool(context.state.get("down") or (context.state.get("answered") and is_settled(context)))
    server = looked_at(context, RUNNING if over else "")
    if over and server.seen_state == RUNNING:
        return done(context, server)
    if server.seen_state == STOPPED and not sent:
        raise Refused("NOT_RUNNING", f"The machine {server.ref} is stopped at {server.account}; start it instead.")
    if may_ask(context, server):
        ask(context, server)
    elif sent and server.seen_state != RUNNING:
        context.save(down=True)
    return poll(context, f"{server.ref} is {server.seen_state} at {server.account}")


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def looked_at(context: Context, wanted: str) -> Server:
    """Return the server as the cloud shows its machine.

    The first look is at the machine itself; then the states of all machines of the account come from one list, until it
    shows the wanted one, which the machine itself has to confirm. Raises Refused when the machine is gone.
    """
    server = loaded(context)
    if not asked(context) and (context.operation.tries or "polls" not in context.state):
        return look_at_one(server)
    server = look_at_all(server)
    return look_at_one(server) if server.seen_state in (wanted, "", "gone") else server


def loaded(context: Context) -> Server:
    """Read the server. Raises Refused when it has never had a machine."""
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    if not server.ref:
        raise Refused(MACHINE_GONE, f"No machine of {server.hostname} is known at {server.account}.")
    return server


def done(context: Context, server: Server, **more: Any) -> Done:
    """Finish, and say when the address is not the one from before."""
    if server.ip_address and server.ip_address != context.params["ip_address"]:
        context.log(f"Its address is {server.ip_address} now.", ip_address=server.ip_address)
    return Done({"server_id": server.id, "status": server.seen_state, "ip_address": server.ip_address, **more})


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def asked(context: Context) -> bool:
    """Tell whether a request is perhaps on its way."""
    return bool(context.state.get("asked_at") and not context.state.get("again"))


def is_settled(context: Context) -> bool:
    """Tell whether the machine has had its time to show that it was asked."""
    since = datetime.fromisoformat(context.state["asked_at"])
    return timezone.now() >= since + timedelta(seconds=settings.SETTLE_SECONDS)


def may_ask(context: Context, server: Server) -> bool:
    """Tell whether to ask the cloud: at first, when that is known to have failed, or when it has shown no effect."""
    verb = VERBS[context.operation.kind]
    return server.seen_state in FROM[verb] and (not asked(context) or is_settled(context))


def ask(context: Context, server: Server) -> None:
    """Ask the cloud, the intent stored before, so that a worker that dies here is followed by one that looks."""
    verb = VERBS[context.operation.kind]
    context.save(asked_at=timezone.now().isoformat(), again=False, answered=False)
    context.log(f"Asking {server.account} to {verb} {server.ref}.", ref=server.ref)
    try:
        with connected(server.account) as cloud:
            getattr(cloud, verb)(server.ref)
    except Transient as error:
        context.save(again=verb != "reboot" or error.code in NOTHING_DONE)
        raise
    except Refused as error:
        if error.code != "PROVIDER_NOT_FOUND":
            raise
        raise Refused(MACHINE_GONE, f"The machine {server.ref} no longer exists at {server.account}.") from error
    context.save(answered=True)


# ── cancelled ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def undo_power(context: Context) -> Done | Wait:
    """Wait until the machine is at rest and let the row say what it then is: what was asked for cannot be recalled."""
    server = look_at_one(loaded(context))
    wanted = {services.START: RUNNING, services.STOP: STOPPED}.get(context.operation.kind)
    pending = context.state.get("asked_at") and server.seen_state != wanted and not is_settled(context)
    if pending or server.seen_state not in (RUNNING, STOPPED):
        return poll(context, f"{server.ref} is {server.seen_state} at {server.account}")
    services.found_as(server, server.seen_state)
    return Done()
