"""Starting, stopping and rebooting machines: look, ask once, and wait until the cloud shows it.

An operation keeps in its state: `asked_at`, when the cloud was last asked; `answered`, that it consented; `again`, that
the request may be repeated at once; `down`, that a machine to be rebooted did not run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.operations.handler_api import Context, Done, Wait
from apps.providers.drivers.base import ProviderError, TransientProviderError
from apps.providers.handlers import connected
from apps.servers.handlers.observe import look_at_all, look_at_one
from apps.servers.handlers.polling import poll
from apps.servers.models import Server
from apps.servers.progress import Progress, ordered_at, progress_of
from apps.servers.services.observed import set_observed_status
from apps.servers.services.power import MACHINE_GONE, REBOOT, START, STOP

RUNNING, STOPPED = "running", "stopped"
VERBS = {START: "start", STOP: "stop", REBOOT: "reboot"}
# From which states of a machine the cloud is asked; in any other it is on its way somewhere.
FROM = {"start": (STOPPED, "error"), "stop": (RUNNING, "error"), "reboot": (RUNNING,)}
# After these a request has certainly not been carried out.
NOTHING_DONE = ("PROVIDER_BUSY", "PROVIDER_RATE_LIMITED")


def start_server(context: Context) -> Done | Wait:
    """Bring the machine up, or find that it is; its address may be another one than before."""
    return reach_state(context, RUNNING)


def stop_server(context: Context) -> Done | Wait:
    """Bring the machine down, or find that it is; its disks stay."""
    return reach_state(context, STOPPED)


def reach_state(context: Context, requested: str) -> Done | Wait:
    """Take one step towards the requested state."""
    server = observed_server(context, requested)
    if server.seen_state == requested and (server.ip_address or requested == STOPPED):
        return done(context, server, changed=bool(ordered_at(context.operation)))
    if may_ask(context, server):
        ask(context, server)
    return poll(context, f"{server.hostname} is {server.seen_state} at {server.account}")


def reboot_server(context: Context) -> Done | Wait:
    """Take the machine down and up again, and wait until it runs.

    Not every cloud shows that a machine is down in between: one that was not seen so within `POWER_STATE_LAG_SECONDS`
    of the cloud's consent counts as rebooted.
    """
    sent = is_request_sent(context)
    progress = progress_of(context.operation)
    over = sent and bool(progress.get("down") or (progress.get("answered") and is_state_current(context)))
    server = observed_server(context, RUNNING if over else "")
    if over and server.seen_state == RUNNING:
        return done(context, server)
    if server.seen_state == STOPPED and not sent:
        raise ProviderError("NOT_RUNNING", f"{server.hostname} is stopped at {server.account}; start it instead.")
    if may_ask(context, server):
        ask(context, server)
    elif sent and server.seen_state != RUNNING:
        context.save(**Progress(down=True))
    return poll(context, f"{server.hostname} is {server.seen_state} at {server.account}")


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def observed_server(context: Context, requested: str) -> Server:
    """Return the server as the cloud shows its machine.

    The first look is at the machine itself; then the states of all machines of the account come from one list, until it
    shows the requested one, which the machine itself has to confirm. Raises Refused when the machine is gone.
    """
    server = loaded(context)
    if not is_request_sent(context) and (context.operation.attempts or "polls" not in progress_of(context.operation)):
        return look_at_one(server)
    server = look_at_all(context, server)
    return look_at_one(server) if server.seen_state in (requested, "", "gone") else server


def loaded(context: Context) -> Server:
    """Read the server. Raises Refused when it has never had a machine."""
    server = Server.objects.select_related("account", "workspace").get(pk=context.params["server"])
    if not server.ref:
        raise ProviderError(MACHINE_GONE, f"No machine of {server.hostname} is known at {server.account}.")
    return server


def done(context: Context, server: Server, **more: Any) -> Done:
    """Finish, and say when the address is not the one from before."""
    if server.ip_address and server.ip_address != context.params["ip_address"]:
        context.log(f"Its address is {server.ip_address} now.", ip_address=server.ip_address)
    return Done({"server_id": server.id, "status": server.seen_state, "ip_address": server.ip_address, **more})


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def is_request_sent(context: Context) -> bool:
    """Tell whether a request is perhaps on its way."""
    return bool(ordered_at(context.operation) and not progress_of(context.operation).get("again"))


def is_state_current(context: Context) -> bool:
    """Tell whether the cloud's state is newer than the request: none was sent, or `POWER_STATE_LAG_SECONDS` ago."""
    since = ordered_at(context.operation)
    lag = timedelta(seconds=settings.POWER_STATE_LAG_SECONDS)
    return since is None or timezone.now() >= datetime.fromisoformat(since) + lag


def may_ask(context: Context, server: Server) -> bool:
    """Tell whether to ask the cloud: at first, when that is known to have failed, or when it has shown no effect."""
    verb = VERBS[context.operation.kind]
    return server.seen_state in FROM[verb] and (not is_request_sent(context) or is_state_current(context))


def ask(context: Context, server: Server) -> None:
    """Ask the cloud, the intent stored before, so that a worker that dies here is followed by one that looks."""
    verb = VERBS[context.operation.kind]
    try:
        with connected(server.account) as cloud:
            context.save(**Progress(asked_at=timezone.now().isoformat(), again=False, answered=False))
            context.log(f"Asking {server.account} to {verb} {server.hostname}.", ref=server.ref)
            was_down = getattr(cloud, verb)(server.ref)
    except TransientProviderError as error:
        context.save(**Progress(again=verb != "reboot" or error.code in NOTHING_DONE))
        raise
    except ProviderError as error:
        if error.code != "PROVIDER_NOT_FOUND":
            raise
        message = f"The machine of {server.hostname} no longer exists at {server.account}."
        raise ProviderError(MACHINE_GONE, message) from error
    context.save(**(Progress(answered=True, down=True) if was_down else Progress(answered=True)))


# ── cancelled ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def undo_power(context: Context) -> Done | Wait:
    """Wait until the machine is at rest and let the row say what it then is: what was asked for cannot be recalled."""
    server = look_at_one(loaded(context))
    requested = {START: RUNNING, STOP: STOPPED}.get(context.operation.kind)
    pending = ordered_at(context.operation) and server.seen_state != requested and not is_state_current(context)
    if pending or server.seen_state not in (RUNNING, STOPPED):
        return poll(context, f"{server.hostname} is {server.seen_state} at {server.account}")
    set_observed_status(server, server.seen_state)
    return Done()
