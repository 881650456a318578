"""The app that carries the admin site."""

import gc

from django.contrib.admin.apps import AdminConfig

from provisioning import unused_imports


class SiteConfig(AdminConfig):
    """Django's admin with our site."""

    default_site = "provisioning.admin.Site"

    def ready(self) -> None:
        """Collect garbage from now on, but not in what has been imported: forked processes share its memory."""
        super().ready()
        unused_imports.show()
        gc.freeze()
        gc.enable()
