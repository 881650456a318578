"""Reads the API reference: every endpoint with its example request, example response and permission."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent.parent / "docs" / "api-reference.txt"
HEADING = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (/\S+)$", re.MULTILINE)
END = re.compile(r"^Status Codes$", re.MULTILINE)  # the general part begins here; within an endpoint a colon follows


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    request: Any
    response: Any
    permission: str | None
    statuses: tuple[int, ...]

    def __str__(self):
        return f"{self.method} {self.path}"


def endpoints():
    """Return all endpoints of the reference, in its order."""
    text = REFERENCE.read_text()
    text = text[: END.search(text).start()]
    heads = list(HEADING.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [endpoint(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]


def endpoint(head, text):
    permission = re.search(r"^Required Permission: (\w+)$", text, re.MULTILINE)
    return Endpoint(
        method=head[1],
        path=head[2],
        request=example(text, "Request:"),
        response=example(text, "Response:"),
        permission=permission and permission[1],
        statuses=tuple(int(status) for status in re.findall(r"• (\d{3}) - ", text)),
    )


def example(text, title):
    """Return the JSON that follows a title, or None."""
    found = re.search(rf"^{title}\s*$", text, re.MULTILINE)
    return json.JSONDecoder().raw_decode(text[found.end() :].lstrip())[0] if found else None
