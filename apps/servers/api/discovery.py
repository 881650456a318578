"""The fleet for other tools: Ansible's inventory and Prometheus' targets."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema

from apps.servers.models import Server
from apps.servers.services import hosts
from apps.servers.services.inventory import inventory, targets
from apps.system.api.pagination import number
from apps.system.api.rendering import json_response
from apps.system.api.views import APIViewSet
from apps.workspaces.services import workspace_named

NODE_EXPORTER = 9100
WORKSPACE = OpenApiParameter("workspace", str, description="Only the servers of this workspace.")
PORT = OpenApiParameter(
    "port",
    {"type": "integer", "minimum": 1, "maximum": 65535},
    description=f"The port that is scraped; {NODE_EXPORTER} unless given.",
)
TEXTS = {"type": "array", "items": {"type": "string"}}
INVENTORY = {
    "type": "object",
    "description": "An Ansible inventory: each key but `_meta` names a group.",
    "properties": {
        "_meta": {
            "type": "object",
            "properties": {
                "hostvars": {
                    "type": "object",
                    "description": "Each host's variables, by its name.",
                    "additionalProperties": {
                        "type": "object",
                        "description": "`ansible_host`, `ansible_port`, `ansible_user`, and facts: `provisioning_…`.",
                        "additionalProperties": True,
                    },
                }
            },
            "required": ["hostvars"],
        }
    },
    "required": ["_meta"],
    "additionalProperties": {"type": "object", "properties": {"hosts": TEXTS}, "required": ["hosts"]},
}
TARGETS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "targets": TEXTS,
            "labels": {
                "type": "object",
                "description": "What is known of the server: `__meta_provisioning_…`.",
                "additionalProperties": {"type": "string"},
            },
        },
        "required": ["targets", "labels"],
    },
}


class InventoryViewSet(APIViewSet):
    """The servers as an Ansible inventory."""

    permissions = {"retrieve": "server_read"}
    query_parameters = {"retrieve": {"workspace"}}

    @extend_schema(responses={200: INVENTORY}, parameters=[WORKSPACE], operation_id="inventory")
    def retrieve(self, request: Any) -> HttpResponse:
        """Return all servers that have an address as Ansible's dynamic inventory, as a script prints it for `--list`.

        Hosts are named `<workspace>.<hostname>`; with `workspace` given, by their host names alone. There are groups
        for workspace, provider, zone, plan, status, each tag and each installed taskserv, such as `tag_web`; a
        character that Ansible does not allow there becomes `_`.
        """
        found = hosts.hosts(chosen(request))
        return json_response(inventory(found, qualified="workspace" not in request.query_params))


class PrometheusTargetsViewSet(APIViewSet):
    """The servers as targets of Prometheus."""

    permissions = {"retrieve": "server_read"}
    query_parameters = {"retrieve": {"workspace", "port"}}

    @extend_schema(
        responses={200: TARGETS},
        parameters=[WORKSPACE, PORT],
        operation_id="prometheus_targets",
        tags=["inventory"],
    )
    def retrieve(self, request: Any) -> HttpResponse:
        """Return all running servers as targets of Prometheus' HTTP service discovery (`http_sd_configs`)."""
        port = number(request, "port", NODE_EXPORTER, 65535)
        running = chosen(request).filter(status=Server.Status.RUNNING)
        return json_response(targets(hosts.hosts(running), port=port))


def chosen(request: Any) -> QuerySet[Server]:
    """Select the servers that the caller may see, of one workspace when it is named. Raises UnknownWorkspace."""
    servers = Server.objects.visible_to(request.user)
    name = request.query_params.get("workspace")
    return servers if name is None else servers.filter(workspace=workspace_named(name))
