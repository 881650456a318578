"""Idempotency-Key: the same request sent again is answered again, not done again.

The key is stored in the transaction of the change itself, so that there is never one without the other. An error stores
nothing, for it has changed nothing. Keys belong to their caller and are kept for 24 hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.response import Response

from apps.system.errors import Conflict, Invalid
from apps.system.models import Answer

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
UNDER_WAY = timedelta(seconds=30)
SAFE = ("GET", "HEAD", "OPTIONS")


class KeyReused(Conflict):
    """The key came before, with another request."""

    message = "This Idempotency-Key was used for another request; use a new key for each new request."


class StillUnderWay(Conflict):
    """The first request with this key has not been answered yet."""

    message = "The first request with this Idempotency-Key is still under way; try again shortly."


def key_of(request: Any) -> str | None:
    """Return the request's key, if it may have one. Raises Invalid for one that is not 1 to 255 visible characters."""
    key = request.headers.get(HEADER)
    if key is None or request.method in SAFE or not request.user.is_authenticated:
        return None
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise Invalid("Idempotency-Key takes 1 to 255 visible ASCII characters.", field=HEADER)
    return key


def once(key: str, handler: Callable[..., Response], *, waits: bool) -> Callable[..., Response]:
    """Wrap a handler so that it acts once for the key.

    One that `waits` for work done elsewhere cannot run in a transaction; it must be harmless to repeat.
    """

    def handle(request: Any, *args: Any, **kwargs: Any) -> Response:
        with nullcontext() if waits else transaction.atomic():
            mine, row = reserve(request, key)
            if not mine:
                return replay(row)
            response = None
            try:
                response = handler(request, *args, **kwargs)
            finally:
                if response is None and waits:
                    row.delete()
            Answer.objects.filter(pk=row.pk).update(body=orjson.dumps(response.data).decode())
            return response

    return handle


def reserve(request: Any, key: str) -> tuple[bool, Answer]:
    """Write the key down, or return the row of whoever did before. Raises KeyReused, StillUnderWay."""
    caller, print_ = str(request.user.pk), fingerprint(request)
    Answer.objects.filter(caller=caller, key=key, created_at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            return True, Answer.objects.create(caller=caller, key=key, fingerprint=print_)
    except IntegrityError:
        row = Answer.objects.get(caller=caller, key=key)
    if row.fingerprint != print_:
        raise KeyReused
    if row.body is None and row.created_at > timezone.now() - UNDER_WAY:
        raise StillUnderWay
    return row.body is None, row


def replay(row: Answer) -> Response:
    """Give the first answer again."""
    return Response(orjson.loads(row.body), headers={"Idempotency-Replayed": "true"})


def fingerprint(request: Any) -> str:
    """Return a digest of what was asked: method, path and body, whatever the order of its keys."""
    body = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"\n".join([request.method.encode(), request.path.encode(), body])).hexdigest()
