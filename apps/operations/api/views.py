"""Operations and metrics over HTTP."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import django_filters
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from apps.operations import services
from apps.operations.api import live
from apps.operations.api.serializers import EventOut, MetricsOut, OperationOut, answer
from apps.operations.models import Event, Operation
from apps.operations.why import reason_for
from apps.system.api import rows
from apps.system.api.fields import Nothing, valid
from apps.system.api.lists import ListFilters, number
from apps.system.api.rendering import json_response
from apps.system.api.views import APIViewSet, ListMixin
from apps.system.errors import NotFound
from apps.system.services import uptime_seconds

UUID_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def last_event_id(request: Any) -> int:
    """Return where a stream's client left off; 0 for anything that we have not sent."""
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def waiting_line(operation: Operation, after: int, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the line that says what the operation waits for, if it does."""
    reason = reason_for(operation)
    if reason is None:
        return []
    seq = lines[-1]["seq"] if lines else after
    at = timezone.now().strftime(settings.REST_FRAMEWORK["DATETIME_FORMAT"])
    data = {"waiting": reason.code, **reason.data}
    return [{"seq": seq, "at": at, "level": Event.Level.INFO.value, "message": reason.message, "data": data}]


class OperationFilters(ListFilters):
    """How operations can be picked."""

    status = django_filters.ChoiceFilter(choices=Operation.Status.choices)
    workspace = django_filters.CharFilter(field_name="workspace__name")
    kind = django_filters.CharFilter()


def uuid_of(what: str, given: str) -> UUID:
    """Return a UUID from a path. Raises NotFound, for an id of another form is one that is not there."""
    if not UUID_FORM.fullmatch(given):
        raise NotFound(what=what, id="of that form")
    return UUID(given)


class OperationViewSet(ListMixin, APIViewSet):
    """List, show, explain and cancel operations."""

    queryset, serializer_class, filterset_class = Operation.objects.all(), OperationOut, OperationFilters
    orderings = ("created_at", "updated_at", "status", "kind")
    query_parameters = {"events": {"after"}}
    waits = ("cancel",)
    permissions = {
        "list": "operation_read",
        "retrieve": "operation_read",
        "events": "operation_read",
        "cancel": "operation_cancel",
    }

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return Operation.objects.visible_to(self.request.user)

    def retrieve(self, request: Any, id: str) -> HttpResponse:
        """Show an operation."""
        key = uuid_of("operation", id)
        return rows.one(self.get_queryset().filter(pk=key), OperationOut, what="operation", id=key)

    @extend_schema(
        responses={(200, "application/json"): EventOut(many=True), (200, live.MEDIA_TYPE): OpenApiTypes.STR},
        parameters=[
            OpenApiParameter("after", int, description="Only lines with a greater `seq`."),
            OpenApiParameter("Last-Event-ID", int, "header", description="The same, as a stream's client sends it."),
        ],
    )
    def events(self, request: Any, id: str) -> HttpResponse:
        """List an operation's log, or stream it live to who accepts `text/event-stream`.

        While the operation is not finished, the list's last line says what it waits for now. That line is not stored:
        it has the `seq` of the line before it, and a `data.waiting` code.
        """
        operation = services.operation_for(request.user, uuid_of("operation", id))
        after = number(request, "after", last_event_id(request), 2**31 - 1, least=0)
        if live.wants_stream(request):
            return live.stream(operation, after)
        lines = [dict(EventOut(event).data) for event in operation.events.filter(seq__gt=after)]
        return json_response([*lines, *waiting_line(operation, after, lines)])

    @extend_schema(request=None, responses=OperationOut)
    def cancel(self, request: Any, id: str) -> Response:
        """Cancel an operation; what it made is undone."""
        valid(Nothing, request)
        return answer(services.cancel(operation=services.operation_for(request.user, uuid_of("operation", id))))


class MetricsViewSet(APIViewSet):
    """The service's own figures."""

    permissions = {"retrieve": "system_metrics"}

    @extend_schema(responses=MetricsOut, operation_id="metrics")
    def retrieve(self, request: Any) -> Response:
        """Show uptime and the number of operations."""
        return Response({"uptime_seconds": uptime_seconds(), "tasks": services.counts()})
