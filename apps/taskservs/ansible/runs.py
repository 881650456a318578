"""Ask for runs of Ansible and read what came of them; handlers of operations call this."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from apps.operations.handler_api import Context
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.encryption import seal
from apps.taskservs.ansible import queue
from apps.taskservs.ansible.requests import RunRequest
from apps.taskservs.models import AnsibleRun

POLL_SECONDS = 30.0  # the operation is woken at the run's end: this is for a runner that is gone
State = AnsibleRun.State


@transaction.atomic
def request_run(context: Context, request: RunRequest) -> AnsibleRun:
    """Queue a run for the operation of this step, unless one is under way; return `Wait(POLL_SECONDS)` afterwards.

    The operation is woken when the run is over. Raises LeaseLost, like everything that a step writes.
    """
    context.save()  # locks the operation: of two workers, one finds the other's run
    live = AnsibleRun.objects.filter(operation=context.operation).order_by("-created_at", "-id").first()
    if live is not None and not live.is_over:
        return live
    return queue_run(context.operation, request, request.server_ids)


def queue_run(operation: Operation, request: RunRequest, server_ids: list[str], **more: Any) -> AnsibleRun:
    """Queue a run and tell the runners."""
    names = Server.objects.filter(pk__in=server_ids).order_by("hostname").values_list("hostname", flat=True)
    run = AnsibleRun.objects.create(
        operation=operation,
        sealed_request=seal(request.as_json()),
        check_mode=request.check_mode,
        server_ids=server_ids,
        hosts={name: {"state": "pending"} for name in names},
        **more,
    )
    queue.notify()
    return run


def latest_run(operation: Operation) -> AnsibleRun | None:
    """Return the operation's last run, None when it has requested none; one whose runner is gone is `lost`."""
    queue.mark_lost()
    return AnsibleRun.objects.filter(operation=operation).order_by("-created_at", "-id").first()


def request_stop(operation: Operation) -> bool:
    """Ask the operation's run to stop; False when nothing of one runs anywhere, neither here nor on the servers.

    The operation is woken when the run has stopped: call this again then. After a lost run, another one is queued that
    only ends what is left of it on the servers.
    """
    run = latest_run(operation)
    return run is not None and run.state not in (State.ENDED, State.STOPPED) and stop(operation, run)


@transaction.atomic
def stop(operation: Operation, run: AnsibleRun) -> bool:
    """Do what `request_stop` does about the operation's last run."""
    if run.state == State.LOST:
        queue_run(operation, RunRequest(plays=[]), run.server_ids, stop_requested_at=timezone.now())
        return True
    follows = AnsibleRun.objects.filter(operation=operation, state=State.LOST).exists()
    never_began = AnsibleRun.objects.filter(pk=run.pk, state=State.QUEUED)
    if not follows and never_began.update(state=State.STOPPED, sealed_request="", ended_at=Now()):
        return False
    AnsibleRun.objects.filter(pk=run.pk).update(stop_requested_at=Coalesce("stop_requested_at", Now()))
    queue.notify()
    return True


def unfinished_runs() -> QuerySet[AnsibleRun]:
    """Select the runs that are queued or under way."""
    return AnsibleRun.objects.filter(Q(state=State.QUEUED) | Q(state=State.RUNNING))
