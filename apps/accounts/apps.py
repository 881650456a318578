"""The accounts app: users, roles, login and refresh."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Create the roles after each migrate."""

    name = "apps.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Listen for the end of a migration."""
        post_migrate.connect(create_roles, sender=self)


def create_roles(using: str, **kwargs: Any) -> None:
    """Create every app's permissions, then the roles made of them."""
    from django.contrib.auth.management import create_permissions

    from apps.accounts.services import ensure_roles

    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0, using=using)
    ensure_roles()
