"""What django-q2 runs by the clock."""

from __future__ import annotations

from django_q.models import Schedule

from apps.operations import registry


def ensure_schedules() -> bool:
    """Make each registered schedule be there once; one that an administrator has changed stays as it is.

    Nodes that start at the same moment may each make one, for the table has no such constraint: the first stays.
    """
    for timer in registry.periodic_tasks():
        named = Schedule.objects.filter(name=timer.name).order_by("pk")
        if not named.exists():
            how = {"func": timer.function, "schedule_type": Schedule.MINUTES, "minutes": timer.minutes}
            Schedule.objects.create(name=timer.name, **how)
        named.exclude(pk=named.values_list("pk", flat=True).first()).delete()
    return True
