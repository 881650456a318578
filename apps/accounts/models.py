"""Users, and the families of tokens they hold."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import connection, models
from django.utils import timezone

# One constant statement: it runs in front of every request, and building it anew costs more than the database does.
CALLER = """
    SELECT person.id, person.username, person.password, person.is_superuser, person.is_staff, person.is_active,
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


class UserQuerySet(models.QuerySet):
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


class Users(UserManager.from_queryset(UserQuerySet)):
    """Django's user manager over our query set."""


class User(AbstractUser):
    """A person or program; what it may do comes from its groups (the roles) and its own permissions."""

    objects = Users()

    def remember_permissions(self, names: list[str]) -> None:
        """Give Django's permission backend what one query has already read."""
        if not self.is_superuser:
            self._perm_cache = set(names)


class TokenFamilyQuerySet(models.QuerySet):
    """Families of tokens."""

    def living(self) -> TokenFamilyQuerySet:
        """Select those neither revoked nor expired."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class TokenFamily(models.Model):
    """All tokens that descend from one login.

    Only the newest refresh token (`current`) is good. An older one coming back means that somebody copied it: the
    family is revoked and every token in it is dead. `login → current … current → revoked`
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current = models.UUIDField(default=uuid.uuid4)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TokenFamilyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"tokens of {self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"
