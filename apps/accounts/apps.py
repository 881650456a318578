"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Name the app."""

    name = "apps.accounts"
    label = "accounts"
