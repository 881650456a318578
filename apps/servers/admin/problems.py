"""What is wrong with a server, and what to do next, in words for the top of its page."""

from __future__ import annotations

from apps.operations import services as operations
from apps.operations.admin import error_of, message_of, title_of
from apps.operations.models import Operation
from apps.servers.models import Drift, Server
from apps.servers.services.expiry import expiry_obstacle
from apps.system.admin import Problem

Status = Server.Status
NEXT_STEPS = {
    Drift.GONE: "Recreate makes a new machine; Forget removes the server once it is proven that there is none.",
    Drift.STOPPED: "Start it again, or adopt what the cloud shows if it is meant to be stopped.",
    Drift.STARTED: "Stop it again, or adopt what the cloud shows if it is meant to run.",
    Drift.RESIZED: "Adopt what the cloud shows, so that plan and price are right here too.",
}
AFTER_FAILURE = (
    "Recreate tries once more: it proves first that there is no machine. Adopt takes what the cloud shows. "
    "Delete removes the server and whatever is left of it."
)


def problems_of(server: Server) -> list[Problem]:
    """Return what is wrong with a server, worst first."""
    found = []
    if server.status == Status.FAILED and server.drift != Drift.GONE:  # which is why it failed, and told below
        found.append(failure(server))
    if server.drift:
        note = server.drift_note or f"The machine is {server.get_drift_display()}."
        step = NEXT_STEPS.get(Drift(server.drift), "")
        found.append(Problem("The machine differs from what was done here", note, step, permission="server_create"))
    if stays := expiry_obstacle(server):
        found.append(Problem("It has expired", stays, level="warning"))
    if holder := operations.holder_of(server.target):
        waiting = "" if holder.lease_owner else "It is waiting for a worker."
        status = message_of(holder) or waiting
        found.append(Problem(f"Under way: {title_of(holder)}", status, level="info"))
    return found


def failure(server: Server) -> Problem:
    """Say why a server failed."""
    last = (
        Operation.objects.filter(target=server.target, status=Operation.Status.FAILED).order_by("-created_at").first()
    )
    title = f"{title_of(last)}: failed" if last else "It has failed"
    return Problem(title, error_of(last) if last else "", AFTER_FAILURE, permission="server_create")
