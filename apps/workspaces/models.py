"""Workspaces, and which one is active."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class WorkspaceQuerySet(models.QuerySet):
    """Workspaces."""

    def visible_to(self, user: object) -> WorkspaceQuerySet:
        """Select what the user may see: today every user who may read any, reads all."""
        return self


class Workspace(models.Model):
    """A place that servers, taskservs and workflows belong to. At most one is active.

    Its SSH key opens the machines that are made in it; the private half is sealed.
    """

    name = models.SlugField(max_length=63, unique=True)
    path = models.CharField(max_length=255, unique=True)
    active = models.BooleanField(default=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    ssh_public_key = models.TextField(blank=True, editable=False)
    sealed_ssh_key = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        default_permissions = ()
        permissions = [
            ("workspace_read", "Can read workspaces"),
            ("workspace_create", "Can create workspaces"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="one_active_workspace"),
        ]

    def __str__(self) -> str:
        return self.name
