"""Users, and the families of tokens they hold."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import connection, models
from django.utils import timezone
from django.utils.crypto import salted_hmac

# One constant statement: it runs in front of every request, and building it anew costs more than the database does.
CALLER = """
    SELECT person.id, person.username, person.password, person.is_superuser, person.is_staff, person.is_active,
        person.session_epoch,
        (SELECT {aggregate} FROM auth_permission AS permission
         JOIN django_content_type AS model ON model.id = permission.content_type_id
         WHERE permission.id IN (
            SELECT granted.permission_id FROM auth_group_permissions AS granted
            JOIN accounts_user_groups AS member ON member.group_id = granted.group_id
            WHERE member.user_id = person.id
            UNION SELECT permission_id FROM accounts_user_user_permissions WHERE user_id = person.id
         )) AS permission_names
    FROM accounts_user AS person JOIN accounts_tokenfamily AS family ON family.user_id = person.id
    WHERE person.id = %s AND person.is_active
        AND family.id = %s AND family.revoked_at IS NULL AND family.expires_at > %s"""
AGGREGATE = {
    "sqlite": "group_concat(model.app_label || '.' || permission.codename, ' ')",
    "postgresql": "string_agg(model.app_label || '.' || permission.codename, ' ')",
}


# Rotations kept for each family: whoever refreshes more often within the grace period has no use for them.
MAX_ROTATIONS = 20


class DatabaseCounter(models.PositiveIntegerField):
    """A number that only UPDATE statements change: saving a row that was read earlier does not set it back."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Keep what the database has."""
        return getattr(model_instance, self.attname) if add else models.F(self.attname)


class Users(UserManager["User"]):
    """Users, with what a request needs to know of them."""

    def for_token(self, user_id: int, family: uuid.UUID) -> User | None:
        """Return the active user with all permission names, if the token's family still lives: one query."""
        statement = CALLER.format(aggregate=AGGREGATE[connection.vendor])
        key = TokenFamily._meta.pk.get_db_prep_value(family, connection)
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        user = next(iter(self.raw(statement, [user_id, key, now])), None)
        if user is not None:
            user.remember_permissions((user.permission_names or "").split())
        return user


class User(AbstractUser):
    """A person or program; what it may do comes from its groups (the roles) and its own permissions."""

    # How often all sessions were ended: part of every session and token made since. Deactivation counts it up too.
    session_epoch = DatabaseCounter(default=0, editable=False)

    objects: ClassVar[Users] = Users()
    permission_names: str | None  # of a user that `for_token` returned

    def get_session_auth_hash(self) -> str:
        """Return what a session or token is made under."""
        return self.with_epoch(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """Return the same for each former secret key."""
        yield from map(self.with_epoch, super().get_session_auth_fallback_hash())

    def with_epoch(self, value: str) -> str:
        """Return another hash for each time that all sessions were ended."""
        if not self.session_epoch:
            return value
        return salted_hmac("accounts.session_epoch", f"{self.session_epoch} {value}").hexdigest()

    def remember_permissions(self, names: list[str]) -> None:
        """Give Django's permission backend what one query has already read."""
        if not self.is_superuser:
            self._perm_cache = set(names)


class TokenFamilyQuerySet(models.QuerySet):
    """Families of tokens."""

    def active(self) -> TokenFamilyQuerySet:
        """Select those neither revoked nor expired."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())

    def revoke(self) -> int:
        """Revoke the families that live; return how many."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class TokenFamily(models.Model):
    """All tokens that descend from one login.

    Only the newest refresh token (`current`) is good. An older one coming back later than the grace period means that
    somebody copied it: the family is revoked and every token in it is dead. `login → current … current → revoked`
    `rotations` maps a token used within the grace period to its successor and the time of its first use.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current = models.UUIDField(default=uuid.uuid4)
    rotations = models.JSONField(default=dict)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TokenFamilyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"tokens of {self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"

    def rotations_since(self, begin: datetime) -> dict[str, tuple[str, str]]:
        """Return the rotations after a time: token → successor and time of its first use."""
        return {used: (to, at) for used, (to, at) in self.rotations.items() if datetime.fromisoformat(at) > begin}

    def rotate(self, recent: dict[str, tuple[str, str]], now: datetime) -> None:
        """Make the next refresh token the good one; the row is held by the caller."""
        used, self.current = self.current, uuid.uuid4()
        kept = [*recent.items(), (used.hex, (self.current.hex, now.isoformat()))]
        self.rotations = dict(kept[-MAX_ROTATIONS:])
        self.save(update_fields=["current", "rotations"])
