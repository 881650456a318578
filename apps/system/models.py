"""Ids, ordered JSON, answers kept for repeated requests, and saved views of lists."""

from __future__ import annotations

import secrets
import string
from typing import Any

import orjson
from django.conf import settings
from django.db import models

ALPHABET = string.ascii_lowercase + string.digits


def public_id(prefix: str) -> str:
    """Return an unguessable id such as `srv-k3v9…`: the prefix and 20 letters and digits (103 bits)."""
    return prefix + "-" + "".join(secrets.choice(ALPHABET) for _ in range(20))


class OrderedJSON(models.TextField):
    """JSON kept as text, so that keys come back in the order they were written, on every database."""

    # The types of the attribute for mypy: without them it is the text of TextField.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        """Decode what the database holds."""
        return None if value is None else orjson.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Encode a Python value; expressions pass through."""
        if value is None or hasattr(value, "resolve_expression"):
            return value
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()

    def value_to_string(self, obj: models.Model) -> str:
        """Encode for fixtures."""
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def to_python(self, value: Any) -> Any:
        """Decode what a form or fixture gives."""
        return orjson.loads(value) if isinstance(value, str) else value


class IdempotencyRecord(models.Model):
    """What a request with an Idempotency-Key was answered; no body while it is under way."""

    caller = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    body = models.TextField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class System(models.Model):
    """No table: carries the permission to read the service's own figures."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [("system_metrics", "Can read the service's metrics")]


class SavedView(models.Model):
    """A named query of a list of the console, such as `status__exact=failed&o=-1`; `list_name` is `servers.server`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    list_name = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    query = models.TextField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "list_name", "name"], name="one_saved_view_of_a_name")]

    def __str__(self) -> str:
        return self.name
