"""Credentials at rest: sealed with the first key of `CREDENTIALS_KEYS`, opened with any of them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from apps.providers.errors import AccountBroken


def seal(credentials: dict[str, Any]) -> str:
    """Return the credentials encrypted."""
    return _keys().encrypt(orjson.dumps(credentials)).decode()


def unseal(sealed: str, *, account: Any) -> dict[str, Any]:
    """Return the credentials in clear. Raises AccountBroken when no key fits."""
    try:
        return orjson.loads(_keys().decrypt(sealed.encode()))
    except InvalidToken:
        raise AccountBroken(account=account) from None


def _keys() -> MultiFernet:
    texts = settings.CREDENTIALS_KEYS or [settings.SECRET_KEY]
    digests = (hashlib.sha256(b"provisioning.credentials" + text.encode()).digest() for text in texts)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
