"""Why operations are not done yet, in words for people: in lists from their rows alone, on their own page in full."""

from __future__ import annotations

import re
from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.admin.wording import as_target, in_names, message_of
from apps.operations.models import Operation
from apps.operations.observability.wait_reasons import wait_reason
from apps.system.admin import ago

# How a message about a failed attempt ends; the time that is left is told better.
PAUSE = re.compile(r" Next attempt in \d+ s\.$")
# How messages begin that are written as the rest of a sentence; others begin with a name.
BEGINNING = re.compile(r"^(?:waiting|the|machines|held|more|a second machine)\b")


def wait_sentence(operation: Operation) -> SafeString | str:
    """Say in a list why an operation is not done yet, from its row alone; nothing once it is."""
    if operation.due_at is None:
        return ""
    if operation.lease_owner:
        stopping = " A cancel was requested." if operation.cancel_requested_at and not operation.has_ended else ""
        return f"A worker on {operation.lease_owner.partition(':')[0]} is at work.{stopping}"
    message = as_sentence(message_of(operation))
    if operation.due_at > timezone.now():
        return message if message and not operation.attempts else paused(operation)
    due = format_html("Due since {}; waits for a free worker.", ago(operation.due_at))
    return format_html("{} {}", message, due) if message else due


def paused(operation: Operation) -> SafeString:
    """Say what an operation waits for itself, and when it goes on."""
    again = "Next attempt" if operation.attempts else "Looks again"
    return format_html("{} {} {}.", as_sentence(message_of(operation)) or "Waiting.", again, ago(operation.due_at))


def as_sentence(message: str) -> str:
    """Write a message about what is waited for as a sentence."""
    text = BEGINNING.sub(lambda found: found[0].capitalize(), PAUSE.sub("", message))
    return text if not text or text.endswith((".", "?", "!", "…")) else f"{text}."


def wait_line(operation: Operation) -> SafeString | str:
    """Say on its page what an operation waits for; nothing once nothing is left of it to do."""
    reason = wait_reason(operation)
    if reason is None:
        return ""
    if reason.code == "WAITING":
        return paused(operation)
    if reason.code == "DRAINED":
        why = f": {reason.data['reason'].rstrip('.')}" if reason.data["reason"] else ""
        since = ago(datetime.fromisoformat(reason.data["since"]))
        return format_html("No work is begun: <code>manage.py drain</code> was run {}{}.", since, why)
    return as_target(in_names([reason.message])[0], operation)
