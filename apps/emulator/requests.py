"""One call to the API, taken apart."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, QueryDict

from apps.emulator.responses import refuse

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAX_PAGE = 100


@dataclass(frozen=True)
class Call:
    """A call: `path` starts with the version and never ends with a slash; `now` is in Unix seconds."""

    method: str
    path: str
    query: QueryDict
    raw: bytes
    now: float = field(default_factory=time.time)

    @classmethod
    def of(cls, request: HttpRequest, version: str, rest: str) -> "Call":
        """Take a request apart."""
        return cls(request.method or "", f"/{version}/{rest}".rstrip("/"), request.GET, request.body)

    def body(self) -> dict[str, Any]:
        """Read the body, which must be a JSON object; no body at all reads as an empty one."""
        try:
            body = json.loads(self.raw or b"{}")
        except ValueError:
            refuse("REQUEST_INVALID", "The request body is not valid JSON.")
        return body if isinstance(body, dict) else refuse("REQUEST_INVALID", "The request body must be a JSON object.")

    def wrapped(self, wrapper: str, *, required: bool = True) -> dict[str, Any]:
        """Read the object inside the one wrapper that the body must have."""
        body = self.body()
        only(body, {wrapper}, "the request")
        inner = body.get(wrapper, None if required else {})
        return inner if isinstance(inner, dict) else refuse("REQUEST_INVALID", f"The object {wrapper} is missing.")

    def page(self) -> tuple[int, int]:
        """Read `limit` and `offset`; a limit is at most 100, and without one the list is whole (-1)."""
        limit = self.number("limit", -1)
        return min(limit, MAX_PAGE), self.number("offset", 0)

    def number(self, name: str, default: int) -> int:
        """Read a count from the query."""
        value = self.query.get(name)
        if value is None:
            return default
        return int(value) if value.isdecimal() else refuse(f"{name.upper()}_INVALID", f"The {name} is invalid.")


def only(attributes: dict[str, Any], allowed: set[str], where: str) -> None:
    """Refuse attributes that the API does not know."""
    for name in attributes:
        if name not in allowed:
            refuse("UNKNOWN_ATTRIBUTE", f"The attribute {name} in {where} is unknown.")
