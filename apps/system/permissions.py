"""The documented permissions, by the names that Django gives them."""

from __future__ import annotations

from functools import cache

from django.apps import apps


@cache
def full_name(codename: str) -> str:
    """Return Django's name (`app.codename`) of a documented permission. Raises LookupError for an undeclared one."""
    for model in apps.get_models():
        if codename in dict(model._meta.permissions):
            return f"{model._meta.app_label}.{codename}"
    raise LookupError(f"no model declares the permission {codename}")
