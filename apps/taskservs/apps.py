"""The taskservs app."""

from django.apps import AppConfig


class TaskservsConfig(AppConfig):
    """Name the app."""

    name = "apps.taskservs"
    label = "taskservs"
