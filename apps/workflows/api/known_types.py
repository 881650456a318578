"""The workflow types that a request can name: those of a workspace's directory where its query names the workspace."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from apps.workflows.services.definitions import Found, all_definitions
from apps.workspaces.services import workspace_named

WORKSPACE_OF_TYPES = OpenApiParameter("workspace", str, description="Include the types of this workspace's directory.")


def known_types(request: Any) -> dict[str, Found]:
    """Return the definitions by type. Raises UnknownWorkspace (400)."""
    name = request.query_params.get("workspace")
    return all_definitions(workspace_named(name) if name else None)
