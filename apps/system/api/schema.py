"""The OpenAPI schema: made from the serializers, with the errors that every endpoint can answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from apps.system.api.errors import ErrorOut, ValidationErrorOut
from apps.system.api.lists import MOST_PER_PAGE, PER_PAGE
from apps.system.api.rendering import MEDIA_TYPE

PAGING = [
    OpenApiParameter("page", int, description="The page, from 1; without it the complete list is answered."),
    OpenApiParameter("per_page", int, description=f"Rows a page: {PER_PAGE} unless given, at most {MOST_PER_PAGE}."),
]


def only_documented_paths(endpoints: list[Any], **options: Any) -> list[Any]:
    """Keep the API and the health check; the admin and the emulated cloud are not part of the schema."""
    return [
        item for item in endpoints if item[0].startswith(("/v1/", "/health", "/metrics")) and "catch_all" not in item[0]
    ]


def answers_are_complete(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Say that an answer has every key of its shape; only an error may come without details."""
    for name, shape in result["components"]["schemas"].items():
        if name.endswith("Out"):
            shape["required"] = [key for key in shape["properties"] if key != "details"]
    return result


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

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        """Describe the body of a DELETE too; all of it may be left out."""
        if self.method != "DELETE":
            return super()._get_request_body(direction)
        shape, _ = self._get_request_for_media_type(self.get_request_serializer(), direction)
        return {"content": {MEDIA_TYPE: {"schema": shape}}} if shape else None

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        """Answer 200 unless said otherwise, to POST and DELETE too, where the framework supposes 201 and 204."""
        shapes = self.get_response_serializers()
        if isinstance(shapes, dict):
            bodies = super()._get_response_bodies(direction)
        else:
            bodies = {"200": self._get_response_for_code(shapes, "200", direction=direction)}
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
