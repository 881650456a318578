"""The views of the OpenAPI schema; what they import takes long, so they are imported at their first request."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.response import Response

from apps.system.api.views import StrictView

making = Lock()


@cache
def schema_document() -> bytes:
    """Return the schema as JSON; it takes half a second, so it is made once a process."""
    return OpenApiJsonRenderer().render(SchemaGenerator().get_schema(request=None, public=True))


class SchemaView(StrictView, SpectacularAPIView):
    """The OpenAPI schema, as JSON: the same for everybody, at any time."""

    renderer_classes = [OpenApiJsonRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer the schema; of many who ask at once, one makes it."""
        with making:
            document = schema_document()
        headers = {"Content-Disposition": 'inline; filename="Provisioning API.json"'}
        return HttpResponse(document, content_type=OpenApiJsonRenderer.media_type, headers=headers)


class DocsView(StrictView, SpectacularSwaggerSplitView):
    """The schema as a page to read and to try; its script is an answer of its own, with `?script=yes`."""

    template_name = "pages/docs.html"

    def known_parameters(self) -> set[str]:
        """Return the parameter of the script."""
        return {"script"}

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer the page, or the script that starts it."""
        response = super().get(request, *args, **kwargs)
        if "script_url" in response.data:
            response.data["script_url"] = f"{request.path}?script=yes"
        return response
