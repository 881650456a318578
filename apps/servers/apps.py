"""The servers app."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Name the app."""

    name = "apps.servers"
    label = "servers"
