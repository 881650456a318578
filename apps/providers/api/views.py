"""Providers over HTTP: what was last read of each; no request asks a cloud."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from apps.providers import registry, services
from apps.providers.api.serializers import ImageOut, PlanOut, ProviderOut, ZoneOut
from apps.providers.models import CloudAccount
from apps.system.api.fields import check_id
from apps.system.api.views import APIViewSet
from apps.system.errors import NotFound
from apps.workspaces.services import workspace_named

NAME = re.compile(r"[a-z0-9-]{1,32}")
WORKSPACE = OpenApiParameter(
    "workspace", str, description="Those of the account that this workspace uses; otherwise of a shared one."
)
ZONE = OpenApiParameter("zone", str, description="Only plans that can be had in this zone, with their price there.")


class ProviderViewSet(APIViewSet):
    """List providers, and what can be ordered at each."""

    permissions = {"overview": "server_read", "plans": "server_read", "zones": "server_read", "images": "server_read"}
    query_parameters = {"plans": {"workspace", "zone"}, "zones": {"workspace"}, "images": {"workspace"}}

    @extend_schema(responses=ProviderOut(many=True), operation_id="providers_list")
    def overview(self, request: Any) -> Response:
        """List every provider that has a driver."""
        return Response(ProviderOut(services.providers(), many=True).data)

    @extend_schema(responses=PlanOut(many=True), parameters=[WORKSPACE, ZONE], operation_id="provider_plans_list")
    def plans(self, request: Any, name: str) -> Response:
        """List the plans of a provider."""
        account = self.account(request, name)
        return Response(PlanOut(services.plans_shown(account, request.query_params.get("zone")), many=True).data)

    @extend_schema(responses=ZoneOut(many=True), parameters=[WORKSPACE], operation_id="provider_zones_list")
    def zones(self, request: Any, name: str) -> Response:
        """List the zones of a provider."""
        account = self.account(request, name)
        return Response(ZoneOut(services.marked(account, account.zones), many=True).data)

    @extend_schema(responses=ImageOut(many=True), parameters=[WORKSPACE], operation_id="provider_images_list")
    def images(self, request: Any, name: str) -> Response:
        """List the images of a provider, the default one first."""
        account = self.account(request, name)
        return Response(ImageOut(services.marked(account, account.images), many=True).data)

    def account(self, request: Any, name: str) -> CloudAccount:
        """Return the account whose catalog is asked for. Raises NotFound, UnknownWorkspace."""
        if check_id("provider", name, NAME) not in registry.drivers():
            raise NotFound(what="provider", id=name)
        workspace = request.query_params.get("workspace")
        return services.account_shown(name, workspace_named(workspace) if workspace else None)
