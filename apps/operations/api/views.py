"""Operations and metrics over HTTP."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import django_filters
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from apps.operations import services
from apps.operations.api.serializers import EventOut, MetricsOut, OperationOut, answer
from apps.operations.models import Event, Operation
from apps.system.api import rows
from apps.system.api.fields import Nothing, valid
from apps.system.api.lists import ListFilters, number
from apps.system.api.views import APIViewSet, ListMixin
from apps.system.errors import NotFound
from apps.system.services import uptime_seconds

UUID_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


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
        responses=EventOut(many=True),
        parameters=[OpenApiParameter("after", int, description="Only lines with a greater `seq`.")],
    )
    def events(self, request: Any, id: str) -> HttpResponse:
        """List an operation's log."""
        operation = services.operation_for(request.user, uuid_of("operation", id))
        after = number(request, "after", 0, 2**31 - 1, least=0)
        return rows.stream(Event.objects.filter(operation=operation, seq__gt=after), EventOut)

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
