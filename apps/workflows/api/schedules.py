"""Schedules over HTTP."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.system.api.fields import Choice, EmptyBody, Input, Sentence, StrictObject, StrictString, check_id, valid
from apps.system.api.filters import ListFilters, RelatedNameFilter
from apps.system.api.idempotency import idempotent
from apps.system.api.views import ListViewSet
from apps.system.errors import NotFound
from apps.workflows.models import SCHEDULE_ID, Schedule
from apps.workflows.services import schedules


class ScheduleCreate(Input):
    """A schedule to be created."""

    workspace = StrictString()
    name = Sentence(max_length=64, help_text="A name that no other schedule of the workspace has.")
    workflow_type = StrictString(max_length=64)
    parameters = StrictObject(default=dict)
    cron = StrictString(max_length=128)
    time_zone = StrictString(max_length=64, default="UTC")
    overlap = Choice(choices=Schedule.Overlap.choices, default="skip")


class ScheduleChange(Input):
    """What of a schedule can be changed; what is left out stays."""

    name = Sentence(max_length=64, required=False)
    parameters = StrictObject(required=False)
    cron = StrictString(max_length=128, required=False)
    time_zone = StrictString(max_length=64, required=False)
    overlap = Choice(choices=Schedule.Overlap.choices, required=False)


class ScheduleOut(serializers.ModelSerializer):
    """A schedule."""

    id = serializers.SlugField()
    workspace = serializers.CharField(source="workspace.name")
    last_workflow_id = serializers.UUIDField(allow_null=True, help_text="The workflow that it submitted last.")

    class Meta:
        model = Schedule
        fields = [
            *("id", "workspace", "name", "workflow_type", "cron", "time_zone", "overlap", "paused"),
            *("next_at", "last_at", "last_workflow_id", "created_at"),
        ]


class ScheduleDetail(ScheduleOut):
    """A schedule with its parameters and its next times."""

    parameters = serializers.SerializerMethodField(help_text="What its workflows are given, secrets hidden.")
    next_times = serializers.SerializerMethodField(help_text="The next five times in UTC; none while it is paused.")
    next_local_times = serializers.SerializerMethodField(help_text="The same in its time zone, with the offset.")

    class Meta(ScheduleOut.Meta):
        fields = [*ScheduleOut.Meta.fields, "parameters", "next_times", "next_local_times"]

    def get_parameters(self, row: Schedule) -> dict[str, Any]:
        """Show the parameters."""
        return schedules.shown_parameters(row)

    def get_next_times(self, row: Schedule) -> list[str]:
        """Show the next times in UTC."""
        return [moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in schedules.coming(row)]

    def get_next_local_times(self, row: Schedule) -> list[str]:
        """Show the next times in the time zone of the schedule."""
        return [moment.isoformat() for moment in schedules.coming(row)]


class ScheduleFilters(ListFilters):
    """The filters of the list of schedules."""

    workspace = RelatedNameFilter(field_name="workspace__name")


def schedule_key(id: str) -> str:
    """Return a well-formed id. Raises NotFound."""
    return check_id("schedule", id, SCHEDULE_ID)


def shown(schedule: Schedule) -> Response:
    """Answer with a schedule."""
    return Response(dict(ScheduleDetail(schedule).data))


class ScheduleViewSet(ListViewSet):
    """List, create, show, change, pause, run and delete schedules."""

    queryset, serializer_class, filterset_class = Schedule.objects.all(), ScheduleOut, ScheduleFilters
    orderings = ("created_at", "name", "next_at")
    permissions = {
        "list": "workflow_read",
        "retrieve": "workflow_read",
        **dict.fromkeys(("create", "partial_update", "pause", "unpause", "run", "destroy"), "workflow_submit"),
    }

    @extend_schema(request=ScheduleCreate, responses=ScheduleDetail)
    @idempotent
    def create(self, request: Any) -> Response:
        """Create a schedule; its workflows are submitted in the name of whoever creates it."""
        return shown(schedules.create_schedule(actor=request.user, **valid(ScheduleCreate, request)))

    @extend_schema(responses=ScheduleDetail)
    def retrieve(self, request: Any, id: str) -> Response:
        """Show a schedule with its next five times."""
        schedule = Schedule.objects.select_related("workspace").filter(pk=schedule_key(id)).first()
        if schedule is None:
            raise NotFound(what="schedule", id=id)
        return shown(schedule)

    @extend_schema(request=ScheduleChange, responses=ScheduleDetail)
    @idempotent
    def partial_update(self, request: Any, id: str) -> Response:
        """Change a schedule; from then on it belongs to whoever changes it."""
        return self.change(request, id, **valid(ScheduleChange, request))

    @extend_schema(request=None, responses=ScheduleDetail)
    @idempotent
    def pause(self, request: Any, id: str) -> Response:
        """Pause a schedule until it is unpaused."""
        valid(EmptyBody, request)
        return self.change(request, id, paused=True)

    @extend_schema(request=None, responses=ScheduleDetail)
    @idempotent
    def unpause(self, request: Any, id: str) -> Response:
        """Unpause a schedule; the times that have passed meanwhile are left out."""
        valid(EmptyBody, request)
        return self.change(request, id, paused=False)

    @extend_schema(request=None, responses=OperationOut)
    @idempotent
    def run(self, request: Any, id: str) -> Response:
        """Submit a schedule's workflow now, besides its times; the answer is the workflow."""
        valid(EmptyBody, request)
        return answer(schedules.run_now(id=schedule_key(id), actor=request.user))

    @extend_schema(request=None, responses=ScheduleDetail)
    @idempotent
    def destroy(self, request: Any, id: str) -> Response:
        """Delete a schedule; workflows under way go on."""
        valid(EmptyBody, request)
        return shown(schedules.delete_schedule(id=schedule_key(id), actor=request.user))

    def change(self, request: Any, id: str, **changes: Any) -> Response:
        """Change a schedule, and answer with it."""
        return shown(schedules.change_schedule(id=schedule_key(id), actor=request.user, **changes))
