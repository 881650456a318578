"""Users, and the families of tokens they hold."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import AbstractUser, Group, Permission, UserManager
from django.db import models
from django.db.models import Exists, Func, Q, Subquery, Value
from django.db.models.functions import Concat
from django.utils import timezone

from apps.system.models import OrderedJSON


class JSONList(Func):
    """All values of a column as one JSON list."""

    function = "json_agg"
    output_field = OrderedJSON()
    template = "%(function)s(%(expressions)s)::text"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        """Compile for SQLite."""
        template = "json_group_array(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)


class UserQuerySet(models.QuerySet):
    """Users, with what a request needs to know of them."""

    def for_token(self, user_id: int, family: uuid.UUID) -> UserQuerySet:
        """Select the active user with all permission names, if the token's family still lives: one query."""
        by_role = Group.permissions.through.objects.filter(group__user=user_id).values("permission")
        by_name = User.user_permissions.through.objects.filter(user=user_id).values("permission")
        granted = Permission.objects.filter(Q(pk__in=by_role) | Q(pk__in=by_name))
        names = granted.order_by().values(
            names=JSONList(Concat("content_type__app_label", Value("."), "codename", output_field=models.TextField()))
        )
        living = TokenFamily.objects.living().filter(pk=family, user=user_id)
        return self.filter(Exists(living), pk=user_id, is_active=True).annotate(permission_names=Subquery(names))


class Users(UserManager.from_queryset(UserQuerySet)):
    """Django's user manager over our query set."""


class User(AbstractUser):
    """A person or program; what it may do comes from its groups (the roles) and its own permissions."""

    objects = Users()

    def remember_permissions(self, names: list[str] | None) -> None:
        """Give Django's permission backend what one query has already read."""
        if not self.is_superuser:
            self._perm_cache = set(names or ())


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
