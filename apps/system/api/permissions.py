"""Permissions by their documented names, checked before anything is looked up."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from rest_framework.permissions import BasePermission

from apps.system.errors import Forbidden


@cache
def full_name(codename: str) -> str:
    """Return Django's name (`app.codename`) of a documented permission. Raises LookupError for an undeclared one."""
    for model in apps.get_models():
        if codename in dict(model._meta.permissions):
            return f"{model._meta.app_label}.{codename}"
    raise LookupError(f"no model declares the permission {codename}")


class HasNamedPermission(BasePermission):
    """Ask for the permission that the view names for its action; an action that the view lacks is left to the 405."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return True, or raise Forbidden naming what is missing; False (a 401) for nobody."""
        if not request.user.is_authenticated:
            return False
        if view.action is None:
            return True
        codename = view.permissions[view.action]
        if not request.user.has_perm(full_name(codename)):
            raise Forbidden(permission=codename)
        return True
