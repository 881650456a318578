"""The base of every view set, and the two views of the system itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.http import HttpResponse
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from apps.system.api.fields import check_query
from apps.system.api.lists import PAGING, StrictFilters, answer_list
from apps.system.api.once import key_of, once
from apps.system.services import uptime_seconds


class StrictView:
    """Refuse query parameters that the view does not read, once the caller is known to be allowed."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Authenticate, check the permission, then the query."""
        super().initial(request, *args, **kwargs)
        if hasattr(self, request.method.lower()):
            check_query(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        """Return the query parameters that are read."""
        return set()


class APIViewSet(StrictView, GenericViewSet):
    """A view set whose actions each name their permission."""

    permissions: dict[str, str] = {}
    orderings: tuple[str, ...] = ("created_at",)
    query_parameters: dict[str, set[str]] = {}
    filter_backends: list[Any] = []
    waits: tuple[str, ...] = ()

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Check the request, then let one with an Idempotency-Key act once."""
        super().initial(request, *args, **kwargs)
        if self.action and (key := key_of(request)):
            method = request.method.lower()
            setattr(self, method, once(key, getattr(self, method), waits=self.action in self.waits))

    def known_parameters(self) -> set[str]:
        """Return the query parameters that this action reads."""
        known = set(self.query_parameters.get(self.action, set()))
        if self.action == "list" and hasattr(self, "filterset_class"):
            known |= set(self.filterset_class.base_filters) | set(PAGING)
        return known


class ListMixin:
    """Give a view set its list."""

    filter_backends = [StrictFilters]

    def list(self, request: Any) -> HttpResponse:
        """Answer the rows the caller may see."""
        return answer_list(self, request, self.get_queryset())


class HealthOut(serializers.Serializer):
    """Whether the service works."""

    status = serializers.ChoiceField(["healthy", "unhealthy"])
    version = serializers.CharField()
    uptime_seconds = serializers.IntegerField()


class HealthView(StrictView, ViewSet):
    """The health check; it needs no token."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: HealthOut, 503: HealthOut}, tags=["system"])
    def retrieve(self, request: Any) -> Response:
        """Answer 200 when the database answers, else 503."""
        healthy = database_answers()
        shape = {
            "status": "healthy" if healthy else "unhealthy",
            "version": settings.VERSION,
            "uptime_seconds": uptime_seconds(),
        }
        return Response(shape, status=200 if healthy else 503)


def database_answers() -> bool:
    """Ask the database the smallest question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        return False
    return True


class SchemaView(StrictView, SpectacularAPIView):
    """The OpenAPI schema, as JSON."""

    renderer_classes = [OpenApiJsonRenderer]


class DocsView(StrictView, SpectacularSwaggerView):
    """The schema as a page to read and to try."""
