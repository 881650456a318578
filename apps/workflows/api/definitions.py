"""Uploaded workflow definitions over HTTP, and the JSON Schema of the format."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.system.api.fields import EmptyBody, check_id, valid
from apps.system.api.idempotency import idempotent
from apps.system.api.views import APIViewSet
from apps.system.errors import NotFound
from apps.workflows.api.serializers import DefinitionOut, DefinitionText, DefinitionUpload
from apps.workflows.definition_schema import NAME, published_schema
from apps.workflows.models import WorkflowDefinition
from apps.workflows.services.definitions import latest_uploads, retire_definition, upload_definition


class DefinitionViewSet(APIViewSet):
    """Upload, list, show and retire workflow definitions."""

    queryset, serializer_class = WorkflowDefinition.objects.all(), DefinitionOut
    permissions = {
        "list": "workflow_read",
        "retrieve": "workflow_read",
        "definition_schema": "workflow_read",
        "create": "workflow_cancel",
        "destroy": "workflow_cancel",
    }

    @extend_schema(responses=DefinitionOut(many=True))
    def list(self, request: Any) -> Response:
        """List the uploaded definitions, the last version of each."""
        return Response([dict(DefinitionOut(row).data) for row in latest_uploads().defer("text")])

    @extend_schema(request=DefinitionUpload, responses=DefinitionOut)
    @idempotent
    def create(self, request: Any) -> Response:
        """Store a definition, as the next version of its type; errors name line and column."""
        row = upload_definition(actor=request.user, **valid(DefinitionUpload, request))
        return Response(dict(DefinitionOut(row).data))

    @extend_schema(responses=DefinitionText)
    def retrieve(self, request: Any, name: str) -> Response:
        """Show the last version of an uploaded definition, with its text."""
        row = WorkflowDefinition.objects.filter(name=definition_key(name)).order_by("-version").first()
        if row is None:
            raise NotFound(what="uploaded definition", id=name)
        return Response(dict(DefinitionText(row).data))

    @extend_schema(request=None, responses=DefinitionOut)
    @idempotent
    def destroy(self, request: Any, name: str) -> Response:
        """Retire an uploaded type: it can no longer be submitted; workflows under way go on."""
        valid(EmptyBody, request)
        return Response(dict(DefinitionOut(retire_definition(name=definition_key(name))).data))

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def definition_schema(self, request: Any) -> Response:
        """Return the JSON Schema of the definition format, for editors."""
        return Response(published_schema())


def definition_key(name: str) -> str:
    """Return a well-formed name. Raises NotFound."""
    return check_id("uploaded definition", name, re.compile(NAME))
