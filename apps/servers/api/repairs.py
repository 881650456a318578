"""What is done about drift and orphans, over HTTP."""

from __future__ import annotations

from typing import Any

import django_filters
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.servers.api.serializers import ServerPower, check_hostname
from apps.servers.models import ORPHAN_ID, SERVER_ID, Orphan
from apps.servers.services import orphans, repairs
from apps.system.api.fields import Input, Nothing, Text, check_id, valid
from apps.system.api.views import APIViewSet, ListMixin


class RepairViewSet(APIViewSet):
    """Adopt, recreate and forget servers whose machines are not as they were left."""

    permissions = {"adopt": "server_create", "recreate": "server_create", "forget": "server_delete"}

    @extend_schema(request=ServerPower, responses=OperationOut)
    def adopt(self, request: Any, id: str) -> Response:
        """Accept what the cloud shows of a server: its status and plan follow, its drift is over."""
        given = valid(ServerPower, request)
        key = check_id("server", id, SERVER_ID)
        return answer(repairs.adopt_server(server_id=key, actor=request.user, **given))

    @extend_schema(request=ServerPower, responses=OperationOut)
    def recreate(self, request: Any, id: str) -> Response:
        """Create the machine of a server anew, once it is proven that it has none; nothing is installed on it."""
        given = valid(ServerPower, request)
        key = check_id("server", id, SERVER_ID)
        return answer(repairs.recreate_server(server_id=key, actor=request.user, **given))

    @extend_schema(request=ServerPower, responses=OperationOut)
    def forget(self, request: Any, id: str) -> Response:
        """Remove a server once it is proven that it has no machine; nothing is deleted at the cloud."""
        given = valid(ServerPower, request)
        key = check_id("server", id, SERVER_ID)
        return answer(repairs.forget_server(server_id=key, actor=request.user, **given))


class OrphanOut(serializers.ModelSerializer):
    """A machine that carries our mark, the id `server_id`, and belongs to no server."""

    id = serializers.SlugField()
    account = serializers.CharField(source="account.name")
    provider = serializers.CharField(source="account.provider")

    class Meta:
        model = Orphan
        fields = [
            *("id", "provider", "account", "ref", "server_id", "hostname"),
            *("plan", "zone", "state", "found_at", "seen_at"),
        ]


class OrphanAdopt(Input):
    """Where an orphan comes to belong."""

    workspace = Text()
    hostname = Text(required=False, max_length=253, validators=[check_hostname], help_text="Its own, unless given.")


class OrphanFilters(FilterSet):
    """How orphans can be picked."""

    provider = django_filters.CharFilter(field_name="account__provider")
    account = django_filters.CharFilter(field_name="account__name")


class OrphanViewSet(ListMixin, APIViewSet):
    """List, adopt and delete orphans."""

    queryset, serializer_class, filterset_class = Orphan.objects.all(), OrphanOut, OrphanFilters
    orderings = ("found_at", "seen_at", "hostname")
    permissions = {"list": "server_read", "adopt": "server_create", "destroy": "server_delete"}

    @extend_schema(request=OrphanAdopt, responses=OperationOut)
    def adopt(self, request: Any, id: str) -> Response:
        """Make a server of the machine, in a workspace; it keeps the id that its machine is marked with."""
        valid(OrphanAdopt, request, partial=True)
        key = check_id("orphan", id, ORPHAN_ID)
        return answer(orphans.adopt_orphan(orphan_id=key, actor=request.user, **valid(OrphanAdopt, request)))

    @extend_schema(request=None, responses=OperationOut)
    def destroy(self, request: Any, id: str) -> Response:
        """Delete the machine and its disks, until it is proven that nothing is left."""
        valid(Nothing, request)
        key = check_id("orphan", id, ORPHAN_ID)
        return answer(orphans.delete_orphan(orphan_id=key, actor=request.user))
