"""Tokens: signing, reading, refreshing and ending them."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from apps.accounts.errors import InvalidRefreshToken
from apps.accounts.models import TokenFamily, User

# What reading a token may raise: a client can put anything into it.
UNREADABLE = (
    TokenError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    OSError,
    RuntimeError,
)
LARGEST_ID = 2**63 - 1
MARK_LENGTH = 32


@dataclass(frozen=True)
class Tokens:
    """What a login or refresh answers; both are JWTs, `expires_in` is the access token's life in seconds."""

    token: str
    refresh_token: str
    expires_in: int


def begin_family(user: User) -> Tokens:
    """Return the first tokens of a new family."""
    family = TokenFamily.objects.create(user=user, expires_at=timezone.now() + settings.REFRESH_TOKEN_LIFETIME)
    return issue(user, family.pk, family.current)


def refresh(*, refresh_token: str) -> Tokens:
    """Return new tokens; a refresh token that comes back later than its grace period ends its whole family.

    Raises InvalidRefreshToken.
    """
    claims = read_token(RefreshToken, refresh_token)
    user = user_of(claims)
    rotation = rotate(uuid.UUID(claims["family"]), uuid.UUID(claims["jti"])) if user else None
    if user is None or rotation is None:
        raise InvalidRefreshToken
    successor, rotated_at = rotation
    return issue(user, uuid.UUID(claims["family"]), successor, at=rotated_at)


@transaction.atomic
def rotate(family_id: uuid.UUID, given: uuid.UUID) -> tuple[uuid.UUID, datetime] | None:
    """Return the successor of a refresh token and when it was made, or None for a token that is not good.

    The successor is the same for whoever comes with the token within `REFRESH_GRACE_SECONDS` of its first use. A token
    that comes back later was copied: its family is revoked.
    """
    family = TokenFamily.objects.active().select_for_update().filter(pk=family_id).first()
    if family is None:
        return None
    now = timezone.now()
    recent = family.rotations_since(now - timedelta(seconds=settings.REFRESH_GRACE_SECONDS))
    if given == family.current:
        family.rotate(recent, now)
        return family.current, now
    if given.hex in recent:
        successor, rotated_at = recent[given.hex]
        return uuid.UUID(successor), datetime.fromisoformat(rotated_at)
    TokenFamily.objects.filter(pk=family_id).revoke()
    return None


def end_family(claims: Token) -> None:
    """Revoke the family of an access token, so that all its tokens are dead."""
    TokenFamily.objects.active().filter(pk=claims["family"]).revoke()


@transaction.atomic
def end_sessions(user: User) -> None:
    """End every session of a user: all tokens, and all browsers in the admin site."""
    TokenFamily.objects.active().filter(user=user).revoke()
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)


def user_of(claims: Token) -> User | None:
    """Return the user whom a token speaks for, permissions loaded, or None when it is dead: one query."""
    user = User.objects.for_token(claims["user_id"], claims["family"])
    return user if user is not None and matches(user, claims) else None


def issue(user: User, family: uuid.UUID, jti: uuid.UUID, *, at: datetime | None = None) -> Tokens:
    """Sign an access token and a refresh token of the family; the same refresh token for the same `jti` and time."""
    access, refreshing = AccessToken(), RefreshToken()
    for token in (access, refreshing):
        token["user_id"], token["family"], token["mark"] = user.pk, str(family), password_fingerprint(user)
    refreshing["jti"] = jti.hex
    if at is not None:
        refreshing.set_iat(at_time=at)
        refreshing.set_exp(from_time=at)
    return Tokens(str(access), str(refreshing), int(settings.TOKEN_LIFETIME.total_seconds()))


def read_token(kind: type[Token], text: str) -> Token:
    """Return a token's claims if it is ours, of the kind, whole and not expired. Raises InvalidRefreshToken.

    Clocks of nodes may differ: a token may come from up to 30 s ahead (`SIMPLE_JWT`), but lives no longer for that.
    """
    with suppress(*UNREADABLE):
        encoded: Any = text  # the library's annotation asks for a Token where it reads the encoded text
        token = kind(encoded)
        token["family"] = str(uuid.UUID(token["family"]))
        uuid.UUID(token["jti"])
        if has_sound_claims(token):
            return token
    raise InvalidRefreshToken


def has_sound_claims(token: Token) -> bool:
    """Tell whether user id, mark and times are of the types and in the bounds that we sign."""
    is_id = type(token["user_id"]) is int and 0 < token["user_id"] <= LARGEST_ID
    is_mark = isinstance(token["mark"], str) and len(token["mark"]) == MARK_LENGTH and token["mark"].isascii()
    has_times = all(type(token[name]) is int and token[name] > 0 for name in ("iat", "exp"))
    return is_id and is_mark and has_times and token["exp"] > timezone.now().timestamp()


def password_fingerprint(user: User) -> str:
    """Return what changes with the user's password and when all sessions end, so that older tokens die."""
    return user.get_session_auth_hash()[:MARK_LENGTH]


def matches(user: User, claims: Token) -> bool:
    """Tell whether the token was made under the user's present password."""
    return constant_time_compare(password_fingerprint(user), claims["mark"])
