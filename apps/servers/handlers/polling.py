"""When a handler comes back: polling, and orders whose answer was lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from apps.operations.handler_api import Context, Wait
from apps.servers.progress import ordered_at, progress_of

POLLS = (0.5, 0.5, 1, 1, 2, 2, 3, 5)


def poll(context: Context, note: str) -> Wait:
    """Come back soon, then less often."""
    progress = progress_of(context.operation)
    polls = progress.get("polls", 0)
    return Wait(POLLS[min(polls, len(POLLS) - 1)], {**progress, "polls": polls + 1}, note)


def outcome_is_unknown(context: Context) -> bool:
    """Tell whether an order was sent whose answer is lost, too recently to be sure that it came to nothing."""
    asked_at = ordered_at(context.operation) or context.params.get("asked_at")
    if not asked_at:
        return False
    sure_at = datetime.fromisoformat(asked_at) + timedelta(seconds=settings.ORDER_LOOKUP_SECONDS)
    return timezone.now() < sure_at or progress_of(context.operation).get("looks", 0) < 2


def recheck_later(context: Context) -> Wait:
    """Look for the machine again later."""
    progress = progress_of(context.operation)
    state = {**progress, "looks": progress.get("looks", 0) + 1}
    return Wait(
        settings.ORDER_LOOKUP_SECONDS / 3, state, "the answer to the order was lost; looking whether it was carried out"
    )


def may_be_unknown_yet(context: Context) -> bool:
    """Tell whether the machine was ordered so recently that the cloud may not show it everywhere."""
    asked_at = ordered_at(context.operation)
    sure_at = asked_at and datetime.fromisoformat(asked_at) + timedelta(seconds=settings.ORDER_LOOKUP_SECONDS)
    return bool(sure_at and timezone.now() < sure_at)
