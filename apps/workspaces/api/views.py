"""Workspaces over HTTP."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.system.api.fields import valid
from apps.system.api.filters import ListFilters
from apps.system.api.idempotency import idempotent
from apps.system.api.views import ListViewSet
from apps.workspaces import services
from apps.workspaces.api.serializers import WorkspaceCreate, WorkspaceOut
from apps.workspaces.models import Workspace


class WorkspaceFilters(ListFilters):
    """The filters of the list of workspaces."""

    workspace = django_filters.CharFilter(field_name="name")


class WorkspaceViewSet(ListViewSet):
    """List and create workspaces."""

    queryset, serializer_class, filterset_class = Workspace.objects.all(), WorkspaceOut, WorkspaceFilters
    orderings = ("name", "created_at")
    permissions = {"list": "workspace_read", "create": "workspace_create"}

    @extend_schema(request=WorkspaceCreate, responses=WorkspaceOut)
    @idempotent
    def create(self, request: Any) -> Response:
        """Create a workspace; with `activate` it becomes the active one."""
        workspace = services.create_workspace(**valid(WorkspaceCreate, request))
        return Response(WorkspaceOut(workspace).data)
