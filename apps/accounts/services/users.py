"""Creating and changing users, as `manage.py seed_users` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import get_random_string

from apps.accounts.errors import BadUsername, NamedTwice, UnknownRole, WeakPassword
from apps.accounts.models import User
from apps.accounts.services.roles import ROLES, set_role


@dataclass(frozen=True)
class NewUser:
    """A user to create or change; `first_password` (or a generated one) is set only for a new user."""

    username: str
    role: str
    password: str | None = field(default=None, repr=False)
    first_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SeedResult:
    """The result for one user: `created`, `changed` or `unchanged`; `generated` is a password to show once."""

    username: str
    role: str
    outcome: str
    generated: str | None = field(default=None, repr=False)


@transaction.atomic
def seed_users(*, users: Iterable[NewUser], check_strength: bool = True) -> list[SeedResult]:
    """Create users, or change their roles and passwords; run twice, the second run changes nothing.

    Without a password, a new user gets a generated one and an existing user keeps theirs. No user is changed when one
    is refused. Raises NamedTwice, UnknownRole, BadUsername, WeakPassword.
    """
    new_users = list(users)
    for username, times in Counter(user.username for user in new_users).items():
        if times > 1:
            raise NamedTwice(username=username)
    return [seed_user(user, check_strength) for user in new_users]


def seed_user(new: NewUser, check_strength: bool) -> SeedResult:
    """Create or change one user. Raises UnknownRole, WeakPassword."""
    if new.role not in ROLES:
        raise UnknownRole(username=new.username, role=new.role, known=", ".join(ROLES))
    check_username(new.username)
    user, created = User.objects.get_or_create(username=new.username)
    given = new.password or (new.first_password if created else None)
    if given and check_strength:
        check_password_strength(user, given)
    generated = get_random_string(20) if created and not given else None
    password = given or generated
    changed = {
        "password": bool(password) and not user.check_password(password),
        "role": set_role(user, new.role),
    }
    if changed["password"]:
        user.set_password(password)
        user.save(update_fields=["password"])
    outcome = "created" if created else "changed" if any(changed.values()) else "unchanged"
    return SeedResult(new.username, new.role, outcome, generated)


def check_username(username: str) -> None:
    """Check a user name against Django's rules. Raises BadUsername."""
    try:
        User._meta.get_field("username").clean(username, None)
    except ValidationError as error:
        raise BadUsername(username=username[:60]) from error


def check_password_strength(user: User, password: str) -> None:
    """Check a password against the configured validators. Raises WeakPassword."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(username=user.username, why=" ".join(error.messages)) from error
