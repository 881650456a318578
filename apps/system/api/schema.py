"""The OpenAPI schema: made from the serializers, with the errors that every endpoint can answer."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.system.api import fields
from apps.system.api.descriptions import EXAMPLES, FIELDS, FILTERS, OPTIONAL_FIELDS
from apps.system.api.errors import ErrorOut, ValidationErrorOut
from apps.system.api.fields import Input, List, StrictObject, StrictString
from apps.system.api.lazy_schema import LazySchema
from apps.system.api.pagination import MAX_PAGE, MAX_PER_PAGE, PER_PAGE
from apps.system.api.rendering import MEDIA_TYPE

PAGING = [
    OpenApiParameter(
        "page",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
        description="The page, from 1; without it the complete list is answered.",
    ),
    OpenApiParameter(
        "per_page",
        {"type": "integer", "minimum": 1, "maximum": MAX_PER_PAGE},
        description=f"Rows a page: {PER_PAGE} unless given.",
    ),
    OpenApiParameter(
        "after",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        description="Instead of `page`: the cursor in the `Link` header of the page before.",
    ),
]
# A value of a query: something visible, no control characters.
VISIBLE = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"


def only_documented_paths(endpoints: list[Any], **options: Any) -> list[Any]:
    """Keep the API and the health check; the admin and the emulated cloud are not part of the schema."""
    return [
        item for item in endpoints if item[0].startswith(("/v1/", "/health", "/metrics")) and "catch_all" not in item[0]
    ]


def answers_are_complete(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Say that an answer has every key of its shape, but an error's details."""
    for name, shape in result["components"]["schemas"].items():
        if name.endswith("Out"):
            shape["required"] = [key for key in shape["properties"] if key != "details"]
    return result


def parameters_are_described(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Describe the parameters of paths and filters, and say that no query's value is blank."""
    for path, operations in result["paths"].items():
        for parameter in (each for operation in operations.values() for each in operation.get("parameters", ())):
            name, shape = parameter["name"], parameter["schema"]
            if parameter["in"] == "path":
                parameter["description"] = f"The {name} of the {owner(path, name)}."
            elif "description" not in parameter:
                parameter["description"] = FILTERS[name]
            if parameter["in"] == "query" and shape == {"type": "string"}:
                shape["pattern"] = VISIBLE
    return result


def owner(path: str, parameter: str) -> str:
    """Name what a parameter of a path identifies, by the word before it: `server` for `/v1/servers/{id}`."""
    return singular(path.partition(f"/{{{parameter}}}")[0].rpartition("/")[2])


def singular(words: str) -> str:
    """Return `freeze window` for `freeze-windows`."""
    return words.replace("-", " ").removesuffix("s")


class Schema(AutoSchema):
    """Add to each operation its summary, its errors, its tag and, on lists, paging and order; describe each field."""

    @property
    def is_list(self) -> bool:
        """Whether this is a list with filters, order and pages."""
        return getattr(self.view, "action", None) == "list" and hasattr(self.view, "filterset_class")

    def get_summary(self) -> str:
        """Return the first paragraph of the docstring, without its full stop."""
        if self.is_list:
            return f"List {self.get_tags()[0].replace('-', ' ')}"
        return super().get_description().partition("\n\n")[0].replace("\n", " ").removesuffix(".")

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """Return what the docstring says after its first paragraph."""
        if self.is_list:
            return "Without `page`, `per_page` and `after` the list is complete."
        return super().get_description().partition("\n\n")[2]

    def get_tags(self) -> list[str]:
        """Group by the first word of the path."""
        return [self.path.removeprefix("/v1/").strip("/").split("/")[0]]

    def get_override_parameters(self) -> list[Any]:
        """Document paging and order where there is a list."""
        if not self.is_list:
            return []
        names = [sign + name for name in getattr(self.view, "orderings", ()) for sign in ("", "-")]
        return [
            *PAGING,
            OpenApiParameter("ordering", str, enum=names, description="The order; - in front reverses it."),
        ]

    def get_filter_backends(self) -> list[Any]:
        """Document filters where they are read: on the list itself."""
        return super().get_filter_backends() if self.is_list else []

    def _map_serializer(
        self, serializer: Any, direction: Literal["request", "response"], bypass_extensions: bool = False
    ) -> dict[str, Any]:
        """Describe that a request's body has no other fields, and give an example of it."""
        shape = super()._map_serializer(serializer, direction, bypass_extensions)
        if not isinstance(serializer, Input):
            return shape
        return shape | {"additionalProperties": False, "example": EXAMPLES[type(serializer).__name__]}

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> dict[str, Any]:
        """Describe what the strict fields refuse."""
        shape = super()._map_serializer_field(field, direction, bypass_extensions)
        if isinstance(field, StrictString):
            return shape | field.rule
        if isinstance(field, List) and not field.allow_empty:
            return shape | {"minItems": 1}
        if isinstance(field, StrictObject):
            return shape | {"maxProperties": fields.MAX_VALUES}
        return shape

    def _get_serializer_field_meta(self, field: Any, direction: str) -> dict[str, Any]:
        """Describe a field by its name where it has no help text."""
        meta = super()._get_serializer_field_meta(field, direction)
        if isinstance(field, serializers.Field) and field.parent is not None and not meta.get("description"):
            name = field.field_name or ""
            optional = OPTIONAL_FIELDS if isinstance(field.parent, Input) and not field.required else {}
            if text := optional.get(name) or FIELDS.get(name):
                meta["description"] = text
        return meta

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        """Describe the body of a DELETE too; all of it may be left out."""
        if self.method != "DELETE":
            return super()._get_request_body(direction)
        shape, _ = self._get_request_for_media_type(self.get_request_serializer(), direction)
        return {"content": {MEDIA_TYPE: {"schema": shape}}} if shape else None

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        """Document 200 by default, for POST and DELETE too, where the framework supposes 201 and 204."""
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
            statuses |= {"408", "409", "413", "415"}
        return sorted(statuses - set(getattr(self.view, "no_errors", ())))


LazySchema.__bases__ = (Schema,)
