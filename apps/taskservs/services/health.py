"""Verifying taskservs: on request and by a schedule, and what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily

from apps.accounts.models import User
from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.operations.services import submit
from apps.system.list_queries import unindexed
from apps.taskservs import machines
from apps.taskservs.errors import NotRunning
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services.lookup import taskserv_for

VERIFY = "taskserv.verify"
MAX_AT_ONCE = 20  # begun by the schedule each time, so that changes need not wait behind them
Health = Installation.Health
# From worst to best: a taskserv is as healthy as its worst server.
ORDER = (Health.DEGRADED, Health.UNREACHABLE, Health.UNKNOWN, Health.HEALTHY)


@transaction.atomic
def verify_taskserv(
    *, taskserv_id: str, actor: User | None, workspace: str | None = None, parent: Operation | None = None
) -> Operation:
    """Queue the verification of a taskserv on all its servers; it changes nothing and holds up no change.

    Raises NotFound, OtherWorkspace, NotRunning, TargetBusy.
    """
    taskserv = taskserv_for(actor, taskserv_id, workspace)
    if taskserv.status != Taskserv.Status.RUNNING:
        raise NotRunning(taskserv=taskserv.id, status=taskserv.status, advice="only a running one can be verified.")
    return submit(
        kind=VERIFY,
        workspace=taskserv.workspace,
        actor=actor,
        target=f"verify:{taskserv.id}",
        params={"taskserv": taskserv.id, "after": machines.unfinished_on(list(taskserv.servers.all()))},
        parent=parent,
    )


def verify_due() -> None:
    """Queue the verification of the running taskservs that were not verified for `TASKSERV_VERIFY_MINUTES`."""
    if not settings.TASKSERV_VERIFY_MINUTES:
        return
    for taskserv in due(timezone.now() - timedelta(minutes=settings.TASKSERV_VERIFY_MINUTES))[:MAX_AT_ONCE]:
        busy = Operation.objects.unfinished().filter(target=taskserv.target).exists()
        with suppress(TargetBusy, NotRunning):
            if not busy:
                verify_taskserv(taskserv_id=taskserv.id, actor=None)


def due(since: Any) -> Any:
    """Select the running taskservs with a real server that was not verified since, the longest ago first."""
    real = Q(installations__server__emulated=False) | Q(installations__server__backed=True)
    late = Q(installations__verified_at=None) | Q(installations__verified_at__lt=since)
    found = Taskserv.objects.filter(real & late, status=Taskserv.Status.RUNNING, health_checks=True)
    return found.order_by("created_at", "id").distinct()


@transaction.atomic
def note_findings(taskserv: Taskserv, findings: dict[str, dict[str, str]]) -> bool:
    """Write down what a verification found, by server's id; False when a change of the taskserv is under way."""
    if Operation.objects.unfinished().filter(target=taskserv.target).exists():
        return False
    for server_id, finding in findings.items():
        row = Installation.objects.filter(taskserv=taskserv, server=server_id, state=Installation.State.RUNNING)
        row.update(verified_at=timezone.now(), **finding)
    return True


def worst(healths: Iterable[str]) -> str:
    """Return the health of a taskserv whose servers have these."""
    found = set(healths)
    return next((health.value for health in ORDER if health in found), Health.UNKNOWN.value)


def of_health(taskservs: QuerySet, health: str) -> QuerySet:
    """Select the taskservs of one health, that of the worst server; the bad ones, mostly few, by an index."""
    mine = Installation.objects.filter(taskserv=OuterRef("pk")).order_by()
    if worse := ORDER[: ORDER.index(Health(health))]:
        taskservs = taskservs.exclude(Exists(mine.filter(health__in=worse)))
    if health == Health.UNKNOWN:
        return taskservs.filter(Exists(mine.filter(health=health)) | ~Exists(mine))
    if health == Health.HEALTHY:
        return taskservs.filter(Exists(mine))
    return unindexed(taskservs).filter(pk__in=Installation.objects.filter(health=health).order_by().values("taskserv"))


def counts() -> list[tuple[str, str, int]]:
    """Count installations of running taskservs: name, health, number."""
    running = Installation.objects.filter(taskserv__status=Taskserv.Status.RUNNING).order_by()
    rows = running.values(name=F("taskserv__name"), found=F("health")).annotate(number=Count("id"))
    return sorted((row["name"], row["found"], row["number"]) for row in rows)


def gauges() -> Iterator[GaugeMetricFamily]:
    """Yield how many installations of running taskservs are healthy, degraded, unreachable or unknown."""
    family = GaugeMetricFamily(
        "provisioning_taskserv_installations",
        "Taskservs on servers, by what their last verification found.",
        labels=["taskserv", "health"],
    )
    for name, found, number in counts():
        family.add_metric([name, found], number)
    yield family


@transaction.atomic
def set_health_checks(*, taskserv_id: str, enabled: bool, actor: User | None) -> Taskserv:
    """Let the schedule verify a taskserv, or not. Raises NotFound."""
    taskserv = taskserv_for(actor, taskserv_id)
    Taskserv.objects.filter(pk=taskserv.pk).update(health_checks=enabled)
    taskserv.health_checks = enabled
    return taskserv
