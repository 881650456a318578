"""The app that carries the admin site."""

import gc
from importlib import import_module
from typing import Any

from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks

from provisioning import unused_imports

PAGES = "provisioning.admin_urls"


class SiteConfig(SimpleAdminConfig):
    """Django's admin with our site, whose pages are imported by the first request for one: no worker needs them."""

    default_site = "provisioning.admin.Site"

    def ready(self) -> None:
        """Collect garbage from now on, but not in what has been imported: forked processes share its memory."""
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_pages, checks.Tags.admin)
        unused_imports.show()
        gc.freeze()
        gc.enable()


def check_pages(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Check the admin's pages."""
    import_module(PAGES)
    return check_admin_app(app_configs, **options)
