"""Permissions by their documented names, checked before anything is looked up."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission

from apps.system.errors import Forbidden
from apps.system.permissions import full_name


class HasNamedPermission(BasePermission):
    """Ask for the permission that the view names for its action; a method that the view lacks is left to the 405."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return True, or raise Forbidden naming what is missing; False (a 401) for nobody."""
        if not request.user.is_authenticated:
            return False
        if request.method.lower() not in view.action_map:
            return True
        codename = view.permissions[view.action]
        if not request.user.has_perm(full_name(codename)):
            raise Forbidden(permission=codename)
        return True
