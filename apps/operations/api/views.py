"""Operations and metrics over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Any

import django_filters
import orjson
from django.conf import settings
from django.db.models import Max
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from apps.operations import cancellation, services
from apps.operations.api.ids import uuid_of
from apps.operations.api.serializers import EventOut, OperationOut, answer
from apps.operations.api.streams import last_event_id, token_allows
from apps.operations.event_stream import messages, responses
from apps.operations.models import Event, Operation
from apps.operations.observability.wait_reasons import wait_reason
from apps.system.api import json_rows
from apps.system.api.errors import ErrorOut
from apps.system.api.fields import EmptyBody, valid
from apps.system.api.filters import ChoiceFilter, ListFilters, RelatedNameFilter
from apps.system.api.idempotency import idempotent
from apps.system.api.pagination import number
from apps.system.api.views import ListViewSet

MAX_LINES, MAX_SEQ = 10**9, 2**31 - 1


def waiting_line(operation: Operation, seq: int) -> str:
    """Return the line, as JSON, that says what the operation waits for; nothing when it waits for nothing."""
    reason = wait_reason(operation)
    if reason is None:
        return ""
    at = timezone.now().strftime(settings.REST_FRAMEWORK["DATETIME_FORMAT"])
    data = {"waiting": reason.code, **reason.data}
    line = {"seq": seq, "at": at, "level": Event.Level.INFO.value, "message": reason.message, "data": data}
    return orjson.dumps(line).decode()


class OperationFilters(ListFilters):
    """The filters of the list of operations."""

    status = ChoiceFilter(choices=Operation.Status.choices)
    workspace = RelatedNameFilter(field_name="workspace__name")
    kind = django_filters.CharFilter()


class OperationViewSet(ListViewSet):
    """List, show, explain and cancel operations."""

    queryset, serializer_class, filterset_class = Operation.objects.all(), OperationOut, OperationFilters
    orderings, few_values = ("created_at", "updated_at", "status", "kind"), ("status", "kind")
    query_parameters = {"events": {"after", "limit"}}
    permissions = {
        "list": "operation_read",
        "retrieve": "operation_read",
        "events": "operation_read",
        "cancel": "operation_cancel",
    }

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return Operation.objects.visible_to(self.request.user)

    def retrieve(self, request: Any, id: str) -> HttpResponseBase:
        """Show an operation."""
        key = uuid_of("operation", id)
        return json_rows.one(self.get_queryset().filter(pk=key), OperationOut, what="operation", id=key)

    @extend_schema(
        responses={
            (200, "application/json"): EventOut(many=True),
            (200, messages.MEDIA_TYPE): messages.SCHEMA,
            429: ErrorOut,
        },
        parameters=[
            OpenApiParameter(
                "after",
                {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
                description="Only lines with a greater `seq`.",
            ),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MAX_LINES},
                description="At most so many lines; a stream gives all.",
            ),
            OpenApiParameter(
                "Last-Event-ID",
                str,
                "header",
                description="Instead of `after`: the last `id` that the client of a stream received.",
            ),
        ],
    )
    def events(self, request: Any, id: str) -> HttpResponseBase:
        """List an operation's log, or stream it live to a client that accepts `text/event-stream`.

        While the operation is not finished, a list that reaches the log's end has one more line, which says what the
        operation waits for now. That line is not stored: it has the `seq` of the line before it, and a `data.waiting`
        code.
        """
        operation = services.operation_for(request.user, uuid_of("operation", id))
        after = number(request, "after", min(last_event_id(request) or 0, MAX_SEQ), MAX_SEQ, minimum=0)
        if responses.wants_stream(request):
            return responses.follow_operation(request.user, operation.pk, after, partial(token_allows, request))
        limit = number(request, "limit", MAX_LINES, MAX_LINES)
        last = operation.events.aggregate(last=Max("seq"))["last"] or 0
        line = waiting_line(operation, max(after, last)) if after + limit >= last else ""
        return json_rows.stream(operation.events.filter(seq__gt=after)[:limit], EventOut, last=line)

    @extend_schema(request=None, responses=OperationOut)
    @partial(idempotent, waits=True)
    def cancel(self, request: Any, id: str) -> Response:
        """Cancel an operation; what it made is undone."""
        valid(EmptyBody, request)
        return answer(cancellation.cancel(operation=services.operation_for(request.user, uuid_of("operation", id))))
