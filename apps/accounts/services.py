"""Login, refresh, roles and users."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib.auth import authenticate, user_logged_in
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, get_random_string
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from apps.accounts.errors import (
    BadUsername,
    InvalidCredentials,
    InvalidRefreshToken,
    NamedTwice,
    UnknownRole,
    WeakPassword,
)
from apps.accounts.models import TokenFamily, User
from apps.system.errors import RateLimited

READS = ("server_read", "taskserv_read", "workflow_read", "operation_read", "workspace_read")
DEVELOPS = (*READS, "taskserv_create", "workflow_submit")
OPERATES = (
    *DEVELOPS,
    "server_create",
    "server_delete",
    "taskserv_delete",
    "workflow_cancel",
    "operation_cancel",
    "system_metrics",
)
ROLES = {"viewer": READS, "developer": DEVELOPS, "operator": OPERATES, "admin": (*OPERATES, "workspace_create")}
# What role admin needs beyond the documented names, to do everything in the admin site: people and provider accounts.
ADMINISTERS = (
    *(f"{verb}_{model}" for model in ("user", "group") for verb in ("view", "add", "change", "delete")),
    "account_change",
)


@dataclass(frozen=True)
class Tokens:
    """What a login or refresh answers; both are JWTs, `expires_in` is the access token's life in seconds."""

    token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True)
class NewUser:
    """A user to be there: `password` is set in any case, `first_password` (or a made up one) when the user is new."""

    username: str
    role: str
    password: str | None = field(default=None, repr=False)
    first_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Seeded:
    """What became of a user: `created`, `changed` or `unchanged`; `generated` is a password to show once."""

    username: str
    role: str
    outcome: str
    generated: str | None = field(default=None, repr=False)


def log_in(*, request: Any, username: str, password: str) -> Tokens:
    """Return tokens for a user who knows the password. Raises InvalidCredentials, RateLimited."""
    user = authenticate(request, username=username, password=password)
    if user is None:
        if not AxesProxyHandler.is_allowed(request, {"username": username}):
            raise RateLimited(seconds=int(get_cool_off(request).total_seconds()))
        raise InvalidCredentials
    family = TokenFamily.objects.create(user=user, expires_at=timezone.now() + settings.REFRESH_TOKEN_LIFETIME)
    user_logged_in.send(sender=User, request=request, user=user)  # notes the time, and forgets the failures before
    return issue(user, family.pk, family.current)


def refresh(*, refresh_token: str) -> Tokens:
    """Return new tokens and kill the old refresh token; one that is used again kills its whole family.

    Raises InvalidRefreshToken.
    """
    claims = read_token(RefreshToken, refresh_token)
    family, given, successor = claims["family"], uuid.UUID(claims["jti"]), uuid.uuid4()
    user = User.objects.for_token(claims["user_id"], family)
    if user is None or not matches(user, claims):
        raise InvalidRefreshToken
    if not TokenFamily.objects.living().filter(pk=family, current=given).update(current=successor):
        TokenFamily.objects.living().filter(pk=family).update(revoked_at=timezone.now())
        raise InvalidRefreshToken
    return issue(user, family, successor)


def user_of(claims: Token) -> User | None:
    """Return the user whom an access token speaks for, permissions loaded, or None when it is dead: one query."""
    user = User.objects.for_token(claims["user_id"], claims["family"])
    return user if user is not None and matches(user, claims) else None


def issue(user: User, family: uuid.UUID, jti: uuid.UUID) -> Tokens:
    """Sign an access token and a refresh token of the family."""
    access, refreshing = AccessToken(), RefreshToken()
    for token in (access, refreshing):
        token["user_id"], token["family"], token["mark"] = user.pk, str(family), mark(user)
    refreshing["jti"] = jti.hex
    return Tokens(str(access), str(refreshing), int(settings.TOKEN_LIFETIME.total_seconds()))


def read_token(kind: type[Token], text: str) -> Token:
    """Return a token's claims if it is ours, of the kind, whole and not expired. Raises InvalidRefreshToken."""
    try:
        token = kind(text)
        token["family"] = str(uuid.UUID(token["family"]))
        uuid.UUID(token["jti"])
        int(token["user_id"])
        str(token["mark"])
        return token
    except (TokenError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidRefreshToken from error


def mark(user: User) -> str:
    """Return what changes with the user's password, so that tokens made before die with it."""
    return user.get_session_auth_hash()[:32]


def matches(user: User, claims: Token) -> bool:
    """Tell whether the token was made under the user's present password."""
    return constant_time_compare(mark(user), str(claims["mark"]))


def ensure_roles() -> None:
    """Create the four roles and give each exactly the documented permissions, and role admin those of the site."""
    roles = {**ROLES, "admin": (*ROLES["admin"], *ADMINISTERS)}
    by_name = {item.codename: item for item in Permission.objects.filter(codename__in=roles["admin"])}
    for role, codenames in roles.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set([by_name[codename] for codename in codenames if codename in by_name])


# ── who may give what ─────────────────────────────────────────────────────────────────────────────────────────────────
def grantable_permissions(user: User) -> QuerySet[Permission]:
    """Select the permissions that the user may give to others: the user's own."""
    return Permission.objects.all() if user.is_superuser else permissions_of(user)


def grantable_groups(user: User) -> QuerySet[Group]:
    """Select the groups that give no more than the user's own permissions."""
    beyond = Permission.objects.exclude(pk__in=grantable_permissions(user).values("pk"))
    return Group.objects.all() if user.is_superuser else Group.objects.exclude(permissions__in=beyond)


def exceeds(other: User, user: User) -> bool:
    """Tell whether `other` may do, or could if active, what `user` may not."""
    if user.is_superuser:
        return False
    beyond = permissions_of(other).exclude(pk__in=grantable_permissions(user).values("pk"))
    return other.is_superuser or beyond.exists()


def permissions_of(user: User) -> QuerySet[Permission]:
    """Select what was given to the user, directly or by groups; active or not."""
    return Permission.objects.filter(Q(group__user=user) | Q(user=user)).distinct()


@transaction.atomic
def seed_users(*, users: Iterable[NewUser], check_strength: bool = True) -> list[Seeded]:
    """Make the users be there with their roles; run twice, the second run changes nothing.

    A password that is given is set; one that is not is made up for new users and left alone for known ones. Nobody is
    changed when anybody is refused. Raises NamedTwice, UnknownRole, BadUsername, WeakPassword.
    """
    wanted = list(users)
    for username, times in Counter(user.username for user in wanted).items():
        if times > 1:
            raise NamedTwice(username=username)
    return [seed_user(user, check_strength) for user in wanted]


def seed_user(wanted: NewUser, check_strength: bool) -> Seeded:
    """Make one user be there. Raises UnknownRole, WeakPassword."""
    if wanted.role not in ROLES:
        raise UnknownRole(username=wanted.username, role=wanted.role, known=", ".join(ROLES))
    check_username(wanted.username)
    user, created = User.objects.get_or_create(username=wanted.username)
    given = wanted.password or (wanted.first_password if created else None)
    if given and check_strength:
        check_password_strength(user, given)
    generated = get_random_string(20) if created and not given else None
    password = given or generated
    changed = {
        "password": bool(password) and not user.check_password(password),
        "role": set_role(user, wanted.role),
    }
    if changed["password"]:
        user.set_password(password)
        user.save(update_fields=["password"])
    outcome = "created" if created else "changed" if any(changed.values()) else "unchanged"
    return Seeded(wanted.username, wanted.role, outcome, generated)


def check_username(username: str) -> None:
    """Hold a user name to Django's rules. Raises BadUsername."""
    try:
        User._meta.get_field("username").clean(username, None)
    except ValidationError as error:
        raise BadUsername(username=username[:60]) from error


def set_role(user: User, role: str) -> bool:
    """Put the user into the role's group and out of the other roles'; tell whether anything changed.

    A deactivated user stays that: seeding again must not let in whom somebody has shut out.
    """
    groups = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
    staff = role == "admin"
    if groups == {role} and user.is_staff == staff:
        return False
    user.groups.remove(*Group.objects.filter(name__in=groups - {role}))
    user.groups.add(Group.objects.get(name=role))
    User.objects.filter(pk=user.pk).update(is_staff=staff)
    return True


def check_password_strength(user: User, password: str) -> None:
    """Hold a password to the configured validators. Raises WeakPassword."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(username=user.username, why=" ".join(error.messages)) from error
