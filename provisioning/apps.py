"""The app that carries the admin site."""

from django.contrib.admin.apps import AdminConfig


class SiteConfig(AdminConfig):
    """Django's admin with our site."""

    default_site = "provisioning.admin.Site"
