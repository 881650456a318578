"""What the API says and how it says it: answers, errors and the headers on every one of them."""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from django.http import HttpResponse

JSON = "application/json; charset=UTF-8"
PROBLEM = "application/problem+json"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Answer:
    """An answer before it is bytes; `total` is the number of matches behind a page of a list."""

    status: int = 200
    payload: dict[str, Any] | None = None
    total: int | None = None
    content_type: str = JSON


class ApiError(Exception):
    """A refusal in the API's legacy shape (`error.error_code`, `error.error_message`)."""

    def __init__(self, code: str, message: str, status: int = 400, content_type: str = JSON):
        super().__init__(f"{status} {code}")
        error = {"error_code": code, "error_message": message}
        self.answer = Answer(status, {"error": error}, content_type=content_type)


def refuse(code: str, message: str, status: int = 400) -> NoReturn:
    """Refuse the request."""
    raise ApiError(code, message, status)


def listing(outer: str, inner: str, items: list[Any], total: int | None = None) -> Answer:
    """Answer a list, double nested as all of the API's lists are."""
    return Answer(payload={outer: {inner: items}}, total=len(items) if total is None else total)


def to_response(answer: Answer) -> HttpResponse:
    """Write an answer whole, with its length, so that it leaves in one piece; 204 has neither body nor type."""
    body = b"" if answer.payload is None else json.dumps(answer.payload, ensure_ascii=False).encode()
    response = HttpResponse(body, status=answer.status, content_type=answer.content_type)
    response["Upcloud-Cid"] = correlation_id()
    if answer.total is not None:
        response["Upcloud-Total-Count"] = str(answer.total)
    if answer.status == 204:
        del response["Content-Type"]
    else:
        response["Content-Length"] = str(len(body))
    return response


def correlation_id() -> str:
    """Make a ULID: 48 bits of milliseconds, 80 of chance, in Crockford's base 32."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
