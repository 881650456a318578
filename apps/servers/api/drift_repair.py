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
from apps.servers.hostnames import RULE
from apps.servers.models import ORPHAN_ID, SERVER_ID, Orphan
from apps.servers.services import drift_repair, orphans
from apps.system.api.fields import EmptyBody, Input, StrictString, check_id, valid
from apps.system.api.idempotency import idempotent
from apps.system.api.views import APIViewSet, ListViewSet


class RepairViewSet(APIViewSet):
    """Adopt, recreate and forget servers whose machines are not as they were left."""

    permissions = {"adopt": "server_create", "recreate": "server_create", "forget": "server_delete"}

    @extend_schema(request=ServerPower, responses=OperationOut)
    @idempotent
    def adopt(self, request: Any, id: str) -> Response:
        """Accept the state of the machine as the server's: its status and plan follow, its drift is over."""
        given = valid(ServerPower, request)
        key = check_id("server", id, SERVER_ID)
        return answer(drift_repair.adopt_server(server_id=key, actor=request.user, **given))

    @extend_schema(request=ServerPower, responses=OperationOut)
    @idempotent
    def recreate(self, request: Any, id: str) -> Response:
        """Create the machine of a server again, once it is proven that it has none; nothing is installed on it."""
        given = valid(ServerPower, request)
        key = check_id("server", id, SERVER_ID)
        return answer(drift_repair.recreate_server(server_id=key, actor=request.user, **given))

    @extend_schema(request=ServerPower, responses=OperationOut)
    @idempotent
    def forget(self, request: Any, id: str) -> Response:
        """Remove a server once it is proven that it has no machine; nothing is deleted at the cloud."""
        given = valid(ServerPower, request)
        key = check_id("server", id, SERVER_ID)
        return answer(drift_repair.forget_server(server_id=key, actor=request.user, **given))


class OrphanOut(serializers.ModelSerializer):
    """A machine that is labeled with this installation and belongs to no server."""

    id = serializers.SlugField()
    account = serializers.CharField(source="account.name")
    provider = serializers.CharField(source="account.provider")

    class Meta:
        model = Orphan
        fields = [
            *("id", "provider", "account", "ref", "server_id", "hostname"),
            *("plan", "zone", "state", "found_at", "seen_at"),
        ]
        extra_kwargs = {
            "server_id": {"help_text": "The id of the server that the machine was created for."},
            "hostname": {"help_text": "The host name of the machine."},
            "plan": {"help_text": "The provider's own plan."},
            "state": {"help_text": "The state that the provider shows."},
        }


class OrphanAdopt(Input):
    """The workspace and the host name of an adopted orphan."""

    workspace = StrictString()
    hostname = StrictString(
        required=False,
        max_length=253,
        validators=[check_hostname],
        rule=RULE,
        help_text="The host name; the machine's own unless given.",
    )


class OrphanFilters(FilterSet):
    """The filters of the list of orphans."""

    provider = django_filters.CharFilter(field_name="account__provider")
    account = django_filters.CharFilter(field_name="account__name")


class OrphanViewSet(ListViewSet):
    """List, adopt and delete orphans."""

    queryset, serializer_class, filterset_class = Orphan.objects.all(), OrphanOut, OrphanFilters
    orderings = ("found_at", "seen_at", "hostname")
    permissions = {"list": "server_read", "adopt": "server_create", "destroy": "server_delete"}

    @extend_schema(request=OrphanAdopt, responses=OperationOut)
    @idempotent
    def adopt(self, request: Any, id: str) -> Response:
        """Add an orphan to a workspace as a server, with the id that its machine is labeled with."""
        valid(OrphanAdopt, request, partial=True)
        key = check_id("orphan", id, ORPHAN_ID)
        return answer(orphans.adopt_orphan(orphan_id=key, actor=request.user, **valid(OrphanAdopt, request)))

    @extend_schema(request=None, responses=OperationOut)
    @idempotent
    def destroy(self, request: Any, id: str) -> Response:
        """Delete an orphan with its disks; the answer is the operation that does it."""
        valid(EmptyBody, request)
        key = check_id("orphan", id, ORPHAN_ID)
        return answer(orphans.delete_orphan(orphan_id=key, actor=request.user))
