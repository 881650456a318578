"""Schedules: workflows submitted at the times of a cron expression, each time once.

The operation `fire` of a schedule waits, in the engine's queue, for the next time. Its end, whatever it is, creates the
operation for the time after that in the same transaction, so that no time is lost; submitting the workflow and noting
it at the operation are one transaction under the operation's lease, so that none is doubled.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.operations import cancellation
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.outcomes import Outcome
from apps.system.database import integrity_error_as
from apps.system.errors import DomainError, NotFound
from apps.system.permissions import full_name
from apps.system.redaction import HIDDEN
from apps.workflows.cron import check_cron, count_between, next_time, times
from apps.workflows.errors import NotOwner, OwnerGone, ScheduleNameTaken
from apps.workflows.models import FIRE, Schedule
from apps.workflows.parameters import complete
from apps.workflows.permissions import check_permissions
from apps.workflows.secrets import Secrets
from apps.workflows.services.definitions import definition_for, finder
from apps.workflows.services.submit import submit_workflow
from apps.workspaces.services import workspace_named

SHOWN_TIMES = 5
OTHERS = "workflow_cancel"  # who may cancel anybody's workflows may change anybody's schedules


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def create_schedule(*, workspace: str, actor: User, **given: Any) -> Schedule:
    """Create a schedule. Raises BadCron, UnknownTimeZone, ScheduleNameTaken, and what a submission raises."""
    schedule = Schedule(workspace=workspace_named(workspace), actor=actor, **given)
    check(schedule, actor)
    with integrity_error_as(ScheduleNameTaken(name=schedule.name), "one_schedule_of_a_name"):
        schedule.save(force_insert=True)
    plan_next(schedule, timezone.now())
    return schedule


@transaction.atomic
def change_schedule(*, id: str, actor: User, **changes: Any) -> Schedule:
    """Change a schedule; whoever changes it is in whose name its workflows are submitted from now on.

    Without changes the schedule stays as it is, its owner too.

    Raises NotFound, NotOwner, BadCron, UnknownTimeZone, ScheduleNameTaken, and what a submission raises.
    """
    schedule = locked(id)
    check_owner(schedule, actor)
    if not changes:
        return schedule
    for name, value in changes.items():
        setattr(schedule, name, value)
    schedule.actor = actor
    check(schedule, actor)
    with integrity_error_as(ScheduleNameTaken(name=schedule.name), "one_schedule_of_a_name"):
        schedule.save()
    withdraw(schedule)
    if not schedule.paused:
        plan_next(schedule, timezone.now())
    return schedule


@transaction.atomic
def delete_schedule(*, id: str, actor: User) -> Schedule:
    """Delete a schedule; workflows under way go on. Raises NotFound, NotOwner."""
    schedule = locked(id)
    check_owner(schedule, actor)
    withdraw(schedule)
    Schedule.objects.filter(pk=schedule.pk).delete()
    return schedule


@transaction.atomic
def run_now(*, id: str, actor: User) -> Operation:
    """Submit the schedule's workflow now, besides its times. Raises NotFound, and what a submission raises."""
    schedule = locked(id)
    return submit_for(schedule, actor)


def check_owner(schedule: Schedule, actor: User) -> None:
    """Refuse to change another's schedule for whoever may not cancel workflows either. Raises NotOwner."""
    if schedule.actor_id != actor.pk and not actor.has_perm(full_name(OTHERS)):
        raise NotOwner(owner=schedule.actor or "nobody any more", permission=OTHERS)


def check(schedule: Schedule, actor: User) -> None:
    """Refuse what could not be submitted at any time."""
    check_cron(schedule.cron, schedule.time_zone)
    definition = definition_for(schedule.workflow_type, schedule.workspace).definition
    check_permissions(actor, definition, finder(schedule.workspace))
    complete(schedule.workflow_type, definition.parameters, schedule.parameters)


def locked(id: str) -> Schedule:
    """Return a schedule, locked. Raises NotFound."""
    found = Schedule.objects.select_for_update(of=("self",)).select_related("workspace", "actor").filter(pk=id).first()
    if found is None:
        raise NotFound(what="schedule", id=id)
    return found


def shown_parameters(schedule: Schedule) -> dict[str, Any]:
    """Return what the workflows of a schedule are given, secrets hidden; all of it where the type is gone."""
    secrets = secrets_of_schedule(schedule)
    return secrets.hide_parameters(schedule.parameters) or {} if secrets else dict.fromkeys(schedule.parameters, HIDDEN)


def secrets_of_schedule(schedule: Schedule) -> Secrets | None:
    """Return what hides the secrets among a schedule's parameters; None where its type is gone."""
    try:
        definition = definition_for(schedule.workflow_type, schedule.workspace).definition
    except DomainError:
        return None
    return Secrets(definition.parameters, schedule.parameters)


def secrets_of_fire(operation: Operation) -> Iterable[Any]:
    """Return the secret values among the parameters of the schedule whose time an operation waits for."""
    schedule = Schedule.objects.select_related("workspace").filter(fire=operation.pk).first()
    secrets = secrets_of_schedule(schedule) if schedule else None
    return secrets.values.forms if secrets else ()


def coming(schedule: Schedule) -> list[datetime]:
    """Return the next times in the time zone of the schedule, none of a paused one."""
    if schedule.paused:
        return []
    zone = ZoneInfo(schedule.time_zone)
    found = times(schedule.cron, schedule.time_zone, timezone.now())
    return [moment.astimezone(zone) for moment in islice(found, SHOWN_TIMES)]


# ── times ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def plan_next(schedule: Schedule, after: datetime) -> None:
    """Queue the operation that waits for the next time after one."""
    moment = next_time(schedule.cron, schedule.time_zone, after)
    fire = None
    if moment is not None:
        params = {"schedule": schedule.pk, "name": schedule.name, "at": moment.isoformat()}
        fire = operations.submit(kind=FIRE, workspace=schedule.workspace, actor=schedule.actor, params=params)
        Operation.objects.filter(pk=fire.pk).update(due_at=moment)
    schedule.fire, schedule.next_at = fire, moment
    Schedule.objects.filter(pk=schedule.pk).update(fire=fire, next_at=moment)


def withdraw(schedule: Schedule) -> None:
    """Cancel the operation that waits for the next time; one at work finds that it is no longer the schedule's."""
    fire, schedule.fire, schedule.next_at = schedule.fire, None, None
    Schedule.objects.filter(pk=schedule.pk).update(fire=None, next_at=None)
    if fire is not None:
        cancellation.cancel_idle(fire)


def submit_for(schedule: Schedule, actor: User | None) -> Operation:
    """Submit the workflow of a schedule in somebody's name, and note it. Raises OwnerGone, and what submitting does."""
    if actor is None or not actor.is_active or not actor.has_perm(full_name("workflow_submit")):
        raise OwnerGone(name=schedule.name)
    operation = submit_workflow(
        workspace=schedule.workspace.name,
        actor=actor,
        workflow_type=schedule.workflow_type,
        parameters=schedule.parameters,
        schedule=schedule,
    )
    Schedule.objects.filter(pk=schedule.pk).update(last_at=timezone.now(), last_workflow=operation)
    return operation


def unfinished_before(schedule: Schedule) -> Operation | None:
    """Return the workflow that was submitted last, when it has not ended."""
    return Operation.objects.unfinished().filter(pk=schedule.last_workflow_id).first()


def missed(schedule: Schedule, at: datetime) -> int:
    """Count the times that have passed since the one that is being done."""
    return count_between(schedule.cron, schedule.time_zone, at, timezone.now())


def apply_fire_outcome(operation: Operation, outcome: Outcome) -> None:
    """Plan the next time, whatever this one came to: those that have passed meanwhile are left out."""
    if outcome is Outcome.UNDOING:
        return
    schedule = Schedule.objects.select_for_update(of=("self",)).filter(fire=operation.pk, paused=False).first()
    if schedule is not None:
        plan_next(schedule, max(timezone.now(), datetime.fromisoformat(operation.params["at"])))


def repair_schedules() -> int:
    """Plan the next time of schedules that wait for none, as after a backup was restored; return how many."""
    count = 0
    for schedule in Schedule.objects.filter(paused=False).exclude(fire__due_at__isnull=False):
        with transaction.atomic():
            row = Schedule.objects.select_for_update(of=("self",)).filter(pk=schedule.pk, paused=False)
            for current in row.exclude(fire__due_at__isnull=False):
                plan_next(current, timezone.now())
                count += current.fire is not None
    return count
