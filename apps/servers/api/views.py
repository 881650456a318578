"""Servers over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.operations.models import Operation
from apps.servers import services
from apps.servers.api.serializers import (
    ServerChange,
    ServerCreate,
    ServerDelete,
    ServerDetail,
    ServerOrder,
    ServerOut,
    ServerPower,
)
from apps.servers.models import SERVER_ID, Server, ServerQuerySet
from apps.servers.services import power, update
from apps.system.api import json_rows
from apps.system.api.fields import check_id, valid
from apps.system.api.filters import CaseInsensitiveFilter, ChoiceFilter, ListFilters, RelatedNameFilter
from apps.system.api.idempotency import idempotent
from apps.system.api.views import ListViewSet
from apps.system.errors import NotFound


class ServerFilters(ListFilters):
    """The filters of the list of servers."""

    status = ChoiceFilter(choices=Server.Status.choices)
    workspace = RelatedNameFilter(field_name="workspace__name")
    provider = django_filters.CharFilter()
    hostname = CaseInsensitiveFilter(help_text="Only those of this host name; case does not matter.")
    tag = django_filters.CharFilter(method="tagged")

    def tagged(self, queryset: QuerySet, name: str, tag: str) -> QuerySet:
        """Select the servers that carry the tag."""
        return cast(ServerQuerySet, queryset).tagged(tag)


class ServerViewSet(ListViewSet):
    """List, create, show and delete servers."""

    queryset, serializer_class, filterset_class = Server.objects.all(), ServerOut, ServerFilters
    orderings, few_values = ("created_at", "hostname", "status"), ("status",)
    permissions = {
        "list": "server_read",
        "status": "server_read",
        "retrieve": "server_read",
        "create": "server_create",
        "order": "server_create",
        "partial_update": "server_create",
        "destroy": "server_delete",
        "start": "server_create",
        "stop": "server_create",
        "reboot": "server_create",
    }

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return Server.objects.visible_to(self.request.user)

    def status(self, request: Any, id: str) -> HttpResponse:
        """Show a server."""
        key = check_id("server", id, SERVER_ID)
        return json_rows.one(self.get_queryset().filter(pk=key), ServerOut, what="server", id=key)

    @extend_schema(responses=ServerDetail)
    def retrieve(self, request: Any, id: str) -> Response:
        """Show everything that is known of a server."""
        return self.shown(check_id("server", id, SERVER_ID))

    def shown(self, key: str) -> Response:
        """Answer a server in full. Raises NotFound."""
        server = self.get_queryset().in_full().filter(pk=key).first()
        if server is None:
            raise NotFound(what="server", id=key)
        return Response(dict(ServerDetail(server).data))

    @extend_schema(request=ServerOrder, responses=OperationOut)
    @idempotent
    def order(self, request: Any) -> Response:
        """Create a server with image, user data, expiry or protection too; the answer is the operation that does it."""
        return answer(services.create_server(actor=request.user, **valid(ServerOrder, request)))

    @extend_schema(request=ServerChange, responses=ServerDetail)
    @idempotent
    def partial_update(self, request: Any, id: str) -> Response:
        """Set or lift a server's protection or expiry; the answer shows the server."""
        given, key = valid(ServerChange, request), check_id("server", id, SERVER_ID)
        update.change_server(server_id=key, **given)
        return self.shown(key)

    @extend_schema(request=ServerCreate, responses=OperationOut)
    @idempotent
    def create(self, request: Any) -> Response:
        """Create a server; the answer is the operation that does it."""
        return answer(services.create_server(actor=request.user, **valid(ServerCreate, request)))

    @extend_schema(request=ServerDelete, responses=OperationOut)
    @idempotent
    def destroy(self, request: Any, id: str) -> Response:
        """Delete a server and its disks; the answer is the operation that does it."""
        given = valid(ServerDelete, request)
        key, confirm_id = check_id("server", id, SERVER_ID), given.pop("server_id", None)
        return answer(services.delete_server(server_id=key, actor=request.user, confirm_id=confirm_id, **given))

    @extend_schema(request=ServerPower, responses=OperationOut)
    @idempotent
    def start(self, request: Any, id: str) -> Response:
        """Start a server; the answer is the operation that does it."""
        return self.switch(power.start_server, request, id)

    @extend_schema(request=ServerPower, responses=OperationOut)
    @idempotent
    def stop(self, request: Any, id: str) -> Response:
        """Power off a server; the answer is the operation that does it."""
        return self.switch(power.stop_server, request, id)

    @extend_schema(request=ServerPower, responses=OperationOut)
    @idempotent
    def reboot(self, request: Any, id: str) -> Response:
        """Reboot a running server; the answer is the operation that does it."""
        return self.switch(power.reboot_server, request, id)

    def switch(self, submit: Callable[..., Operation], request: Any, id: str) -> Response:
        """Submit one of the three."""
        given = valid(ServerPower, request)
        return answer(submit(server_id=check_id("server", id, SERVER_ID), actor=request.user, **given))
