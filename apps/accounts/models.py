"""Users, and the families of tokens they hold."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person or program; what it may do comes from its groups (the roles) and its own permissions."""


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

    def __str__(self) -> str:
        return f"tokens of {self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"
