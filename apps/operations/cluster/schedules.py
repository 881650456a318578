"""What django-q2 runs by the clock."""

from __future__ import annotations

from django_q.models import Schedule

from apps.operations import registry


def ensure_schedules() -> None:
    """Make each registered schedule be there; one that an administrator has changed stays as it is."""
    for timer in registry.timers():
        Schedule.objects.get_or_create(
            name=timer.name,
            defaults={"func": timer.function, "schedule_type": Schedule.MINUTES, "minutes": timer.minutes},
        )
