"""The accounts app: users, roles, login and refresh."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Create the roles and triggers after each migrate."""

    name = "apps.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Listen for the end of a migration."""
        post_migrate.connect(create_roles, sender=self)
        post_migrate.connect(create_triggers, sender=self)


def create_roles(using: str, **kwargs: Any) -> None:
    """Create every app's permissions, then the roles made of them."""
    from django.contrib.auth.management import create_permissions

    from apps.accounts.services import ensure_roles

    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0, using=using)
    ensure_roles()


def create_triggers(using: str, **kwargs: Any) -> None:
    """Create the database's triggers where they are missing."""
    from apps.accounts.triggers import ensure_triggers

    ensure_triggers(using)
