"""Streams of events: of all operations for API clients, and the same for pages of the admin."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.authentication import BaseAuthentication

from apps.accounts.api.authentication import TokenAuthentication
from apps.operations import services
from apps.operations.api.ids import UUID_FORM, uuid_of
from apps.operations.event_stream import messages, responses
from apps.operations.event_stream.queries import Filters
from apps.system.api.errors import ErrorOut
from apps.system.api.views import APIViewSet
from apps.system.errors import DomainError, Forbidden, Invalid
from apps.system.permissions import full_name

READ = "operation_read"


def last_event_id(request: Any) -> int | None:
    """Return where a stream's client left off; None for anything that we have not sent."""
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def token_allows(request: Any) -> bool:
    """Tell whether the token that a stream was opened with would still open it."""
    try:
        found = TokenAuthentication().authenticate(request)
    except DomainError:
        return False
    return found is not None and found[0].has_perm(full_name(READ))


class EventViewSet(APIViewSet):
    """One stream of all operations."""

    query_parameters = {"stream": {"workspace", "kind", "operation"}}
    permissions = {"stream": READ}

    @extend_schema(
        responses={(200, messages.MEDIA_TYPE): messages.SCHEMA, 404: ErrorOut, 429: ErrorOut},
        operation_id="events_stream",
        tags=["operations"],
        parameters=[
            OpenApiParameter("workspace", str, description="Only operations of this workspace."),
            OpenApiParameter("kind", str, description="Only operations of this kind, such as `server.create`."),
            OpenApiParameter("operation", OpenApiTypes.UUID, description="Only this operation."),
            OpenApiParameter("Last-Event-ID", str, "header", description="The `id` of the last message received."),
        ],
    )
    def stream(self, request: Any) -> HttpResponseBase:
        """Stream states and log lines of all operations, live (server-sent events).

        A message `log` is one line of a log with its `operation`, `workspace` and `kind`. A message `operation` is an
        operation as it is now: sent when its state has changed and, as the stream opens, for each that is unfinished.
        With `Last-Event-ID` the stream goes on after that line: none is missed and none repeated.
        """
        query = request.query_params
        filters = Filters(query.get("workspace", ""), query.get("kind", ""), operation_of(query.get("operation")))
        if filters.operation:
            services.operation_for(request.user, filters.operation)
        return responses.follow_all(request.user, filters, last_event_id(request), self.is_allowed(request))

    def is_allowed(self, request: Any) -> Any:
        """Return a function that tells whether the stream may go on."""
        return partial(token_allows, request)


def operation_of(given: str | None) -> UUID | None:
    """Return the operation of a filter. Raises Invalid."""
    if given is not None and not UUID_FORM.fullmatch(given):
        raise Invalid("operation takes an operation's id.", field="operation")
    return UUID(given) if given else None


class AdminSession(BaseAuthentication):
    """The admin's session cookie, for requests of its own pages."""

    def authenticate(self, request: Any) -> tuple[Any, None] | None:
        """Return the user, or None when nobody is logged in who may enter the admin. Raises Forbidden."""
        if not is_same_origin(request):
            raise Forbidden("This is open to pages of this site only.")
        page = request._request
        return (page.user, None) if admin.site.has_permission(page) else None

    def authenticate_header(self, request: Any) -> str:
        """Return the challenge of a 401."""
        return 'Session realm="admin"'


def is_same_origin(request: Any) -> bool:
    """Tell whether the request was made by a page of this site, as far as the browser says who made it."""
    own = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none") and (
        request.headers.get("Origin", own) == own
    )


def session_allows(session_key: str) -> bool:
    """Tell whether the session that a stream was opened with would still open it."""
    probe = HttpRequest()
    probe.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    probe.user = get_user(probe)
    return admin.site.has_permission(probe) and probe.user.has_perm(full_name(READ))


class AdminEventViewSet(EventViewSet):
    """The streams for pages of the admin."""

    authentication_classes = [AdminSession]
    permissions = {"stream": READ, "operation": READ}
    query_parameters = {**EventViewSet.query_parameters, "operation": {"after"}}

    def operation(self, request: Any, id: str) -> HttpResponseBase:
        """Stream one operation's log after the line that came last: a page says which it shows in `after`."""
        operation = services.operation_for(request.user, uuid_of("operation", id))
        after = last_event_id(request)
        if after is None:
            given = request.query_params.get("after", "")
            after = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
        return responses.follow_operation(request.user, operation.pk, after, self.is_allowed(request))

    def is_allowed(self, request: Any) -> Any:
        """Return a function that tells whether the stream may go on."""
        return partial(session_allows, request._request.session.session_key)
