"""The OpenAPI schema: made from the serializers, with the errors that every endpoint can answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from apps.system.api.errors import ErrorOut, ValidationErrorOut
from apps.system.api.lists import MOST_PER_PAGE, PER_PAGE

PAGING = [
    OpenApiParameter("page", int, description="The page, from 1; without it the complete list is answered."),
    OpenApiParameter("per_page", int, description=f"Rows a page: {PER_PAGE} unless given, at most {MOST_PER_PAGE}."),
]


def only_documented_paths(endpoints: list[Any], **options: Any) -> list[Any]:
    """Keep the API and the health check; the admin and the emulated cloud are not part of the schema."""
    return [item for item in endpoints if item[0].startswith(("/v1/", "/health")) and "catch_all" not in item[0]]


class Schema(AutoSchema):
    """Add to each operation its errors, its tag and, on lists, paging and order."""

    def get_tags(self) -> list[str]:
        """Group by the first word of the path."""
        return [self.path.removeprefix("/v1/").strip("/").split("/")[0]]

    def get_override_parameters(self) -> list[OpenApiParameter]:
        """Document paging and order where there is a list."""
        if getattr(self.view, "action", None) != "list" or not hasattr(self.view, "filterset_class"):
            return []
        names = [sign + name for name in self.view.orderings for sign in ("", "-")]
        return [
            *PAGING,
            OpenApiParameter("ordering", str, enum=names, description="The order; - in front reverses it."),
        ]

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for status in self.error_statuses():
            shape = ValidationErrorOut if status == "400" else ErrorOut
            bodies.setdefault(status, self._get_response_for_code(shape, status))
        return bodies

    def error_statuses(self) -> list[str]:
        """Return the error statuses that this endpoint can answer."""
        statuses = {"400", "405", "500", "503"}
        if self.view.get_authenticators():
            statuses |= {"401", "403"}
        if "{" in self.path:
            statuses |= {"404"}
        if self.method != "GET":
            statuses |= {"409", "413", "415"}
        return sorted(statuses - set(getattr(self.view, "no_errors", ())))
