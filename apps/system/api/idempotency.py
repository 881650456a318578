"""Idempotency-Key: the same request sent again is answered again, not done again.

The key is stored in the transaction of the change itself, so that there is never one without the other. An error stores
nothing, because it has changed nothing. Keys belong to their caller and are kept for 24 hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from functools import partial, wraps
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.response import Response

from apps.system.database import breaks, repeated
from apps.system.errors import Conflict, Invalid
from apps.system.models import IdempotencyRecord

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


def idempotent(action: Callable[..., Response], *, waits: bool = False) -> Callable[..., Response]:
    """Decorate an action that changes something: it acts once for an Idempotency-Key, and again after a deadlock.

    One that `waits` for work done elsewhere cannot run in a transaction; it must be harmless to repeat.
    """

    @wraps(action)
    def act(view: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        handler = partial(action, view)
        if key := key_of(request):
            handler = partial(run_or_replay, key, handler, waits)
        return repeated(lambda: handler(request, *args, **kwargs))

    act.__dict__["is_idempotent"] = True
    return act


def run_or_replay(
    key: str, handler: Callable[..., Response], waits: bool, request: Any, *args: Any, **kwargs: Any
) -> Response:
    """Call a handler, or replay its answer when the key came before. Raises KeyReused, StillUnderWay."""
    with nullcontext() if waits else transaction.atomic():
        is_first, row = reserve(request, key)
        if not is_first:
            return replay(row)
        response = None
        try:
            response = handler(request, *args, **kwargs)
        finally:
            if response is None and waits:
                row.delete()
        IdempotencyRecord.objects.filter(pk=row.pk).update(body=orjson.dumps(response.data).decode())
        return response


def reserve(request: Any, key: str) -> tuple[bool, IdempotencyRecord]:
    """Store the key, or return the row of the request that stored it before. Raises KeyReused, StillUnderWay."""
    caller, print_ = str(request.user.pk), fingerprint(request)
    IdempotencyRecord.objects.filter(caller=caller, key=key, created_at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            return True, IdempotencyRecord.objects.create(caller=caller, key=key, fingerprint=print_)
    except IntegrityError as broken:
        if not breaks(broken, "one_answer_a_key"):
            raise
        row = IdempotencyRecord.objects.get(caller=caller, key=key)
    if row.fingerprint != print_:
        raise KeyReused
    if row.body is None and row.created_at > timezone.now() - UNDER_WAY:
        raise StillUnderWay
    return row.body is None, row


def replay(row: IdempotencyRecord) -> Response:
    """Give the first answer again."""
    return Response(orjson.loads(row.body or "null"), headers={"Idempotency-Replayed": "true"})


def fingerprint(request: Any) -> str:
    """Return a digest of what was asked: method, path, query and body, whatever the order of names and keys."""
    query, body = (
        orjson.dumps(part, option=orjson.OPT_SORT_KEYS) for part in (dict(request.query_params.lists()), request.data)
    )
    return hashlib.sha256(b"\n".join([request.method.encode(), request.path.encode(), query, body])).hexdigest()
