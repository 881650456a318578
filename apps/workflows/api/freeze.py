"""Freeze windows over HTTP."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.system.api.fields import EmptyBody, Input, Sentence, StrictString, UTCDateTime, check_id, valid
from apps.system.api.filters import ListFilters, RelatedNameFilter
from apps.system.api.idempotency import idempotent
from apps.system.api.views import ListViewSet
from apps.workflows.models import FREEZE_ID, FreezeWindow
from apps.workflows.services import freeze


class FreezeCreate(Input):
    """A freeze window to be created."""

    workspace = StrictString()
    reason = Sentence(help_text="Why; shown where the window holds a workflow.")
    starts_at = UTCDateTime(required=False, help_text="When it begins; now unless given.")
    ends_at = UTCDateTime(help_text="When it ends.")


class FreezeOut(serializers.ModelSerializer):
    """A time in which no workflow of a workspace begins."""

    id = serializers.SlugField()
    workspace = serializers.CharField(source="workspace.name")

    class Meta:
        model = FreezeWindow
        fields = ["id", "workspace", "reason", "starts_at", "ends_at", "created_at"]


class FreezeFilters(ListFilters):
    """The filters of the list of freeze windows."""

    workspace = RelatedNameFilter(field_name="workspace__name")
    ends_after = django_filters.IsoDateTimeFilter(field_name="ends_at", lookup_expr="gte")


class FreezeViewSet(ListViewSet):
    """List, create and delete freeze windows."""

    queryset, serializer_class, filterset_class = FreezeWindow.objects.all(), FreezeOut, FreezeFilters
    orderings = ("created_at", "starts_at", "ends_at")
    permissions = {"list": "workflow_read", "create": "workflow_cancel", "destroy": "workflow_cancel"}

    @extend_schema(request=FreezeCreate, responses=FreezeOut)
    @idempotent
    def create(self, request: Any) -> Response:
        """Create a freeze window: no workflow of the workspace begins in it; those that have begun go on."""
        window = freeze.create_freeze_window(actor=request.user, **valid(FreezeCreate, request))
        return Response(dict(FreezeOut(window).data))

    @extend_schema(request=None, responses=FreezeOut)
    @idempotent
    def destroy(self, request: Any, id: str) -> Response:
        """Delete a freeze window; the workflows that it holds begin at once."""
        valid(EmptyBody, request)
        window = freeze.delete_freeze_window(id=check_id("freeze window", id, FREEZE_ID))
        return Response(dict(FreezeOut(window).data))
