"""A server's state as a plan of timestamps: `{"why": "create", "steps": [[when, state], …]}`, read at any moment.

create   maintenance ──boot_seconds──▶ started
start    maintenance ──start_blocks_seconds──▶ started
stop     started ──stop_seconds──▶ stopped
restart  started ──▶ maintenance ──boot_seconds──▶ started
"""

from collections.abc import Mapping
from typing import Any

from apps.system.linear_regex import found

Phases = dict[str, Any]


def create(now: float, seconds: float) -> Phases:
    """Plan a boot after a create."""
    return {"why": "create", "steps": [[now, "maintenance"], [now + seconds, "started"]]}


def start(now: float, seconds: float) -> Phases:
    """Plan a boot after a start."""
    return {"why": "start", "steps": [[now, "maintenance"], [now + seconds, "started"]]}


def stop(now: float, seconds: float, before: Phases) -> Phases:
    """Plan a stop; the server shows `started` until it has stopped. Asking again makes it sooner, never later."""
    ends = now + seconds
    if before["why"] == "stop":
        ends = min(ends, before["steps"][-1][0])
    return {"why": "stop", "steps": [[now, "started"], [ends, "stopped"]]}


def restart(now: float, seconds: float) -> Phases:
    """Plan a restart."""
    steps = [[now, "started"], [now + seconds / 4, "maintenance"], [now + seconds, "started"]]
    return {"why": "restart", "steps": steps}


def state_at(phases: Phases, now: float) -> str:
    """Tell the state at a moment."""
    reached = [state for since, state in phases["steps"] if since <= now]
    return reached[-1] if reached else phases["steps"][0][1]


def shown_state(hostname: str, phases: Phases, settings: Mapping[str, Any], now: float) -> str:
    """Tell the state that the API shows, which settings can replace by a broken one for some hostnames."""
    if any(found(pattern, hostname) for pattern in settings["error_state"]):
        return "error"
    if any(found(pattern, hostname) for pattern in settings["stuck_in_maintenance"]):
        return "maintenance"
    return state_at(phases, now)


def progress_at(phases: Phases, now: float) -> str | None:
    """Tell the progress of a create, 0 to 95 as text; it is gone while the second half of the boot still runs."""
    began, ready = phases["steps"][0][0], phases["steps"][-1][0]
    done = (now - began) / (ready - began) if ready > began else 1.0
    return str(int(done * 190)) if phases["why"] == "create" and done < 0.5 else None


def is_creating(phases: Phases, now: float) -> bool:
    """Tell whether a create still runs."""
    return phases["why"] == "create" and now < phases["steps"][-1][0]
