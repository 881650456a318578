"""The providers app."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Name the app."""

    name = "apps.providers"
    label = "providers"
