"""Secrets at rest: sealed with the first key of `CREDENTIALS_KEYS`, opened with any of them.

Cryptography takes long to import, and is where it is used.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings

from apps.system.errors import Conflict

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet


class SealBroken(Conflict):
    """What is sealed cannot be opened with any configured key."""

    message = "What {what} keeps sealed cannot be opened with CREDENTIALS_KEYS; restore the key, or enter it again."


@dataclass(frozen=True)
class SecretField:
    """Where sealed secrets are kept: a model by its label, such as `providers.CloudAccount`, and its field."""

    model: str
    field: str


_places: list[SecretField] = []


def register_secret_field(model: str, field: str) -> None:
    """Say that a model's field keeps sealed secrets, so that they are sealed anew with the others."""
    _places.append(SecretField(model, field))


def secret_fields() -> list[SecretField]:
    """Return everywhere that sealed secrets are kept."""
    return list(_places)


def seal(secret: Any) -> str:
    """Return a JSON value encrypted."""
    return _keys().encrypt(orjson.dumps(secret)).decode()


def unseal(sealed: str, *, what: Any) -> Any:
    """Return the value in clear; `what` names its owner in the refusal. Raises SealBroken when no key fits."""
    with _refusal(what):
        return orjson.loads(_keys().decrypt(sealed.encode()))


def sealed_anew(sealed: str, *, what: Any) -> str:
    """Return the same secret sealed with the first key. Raises SealBroken when no key opens it."""
    with _refusal(what):
        return _keys().rotate(sealed.encode()).decode()


def is_current(sealed: str) -> bool:
    """Tell whether a secret is sealed with the first key."""
    from cryptography.fernet import InvalidToken

    try:
        _fernets()[0].decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


@contextmanager
def _refusal(what: Any) -> Iterator[None]:
    from cryptography.fernet import InvalidToken

    try:
        yield
    except InvalidToken:
        raise SealBroken(what=what) from None


def _keys() -> MultiFernet:
    from cryptography.fernet import MultiFernet

    return MultiFernet(_fernets())


def _fernets() -> list[Fernet]:
    from cryptography.fernet import Fernet

    texts = settings.CREDENTIALS_KEYS or [settings.SECRET_KEY]
    digests = (hashlib.sha256(b"provisioning.credentials" + text.encode()).digest() for text in texts)
    return [Fernet(base64.urlsafe_b64encode(digest)) for digest in digests]
