"""The admin site: its titles, and its apps in an operator's order."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

ORDER = ["operations", "servers", "taskservs", "workflows", "workspaces", "providers", "accounts", "auth"]


class Site(AdminSite):
    """The admin site."""

    site_header = site_title = "Provisioning"
    index_title = "Control plane"
    site_url = "/v1/docs"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Return the apps that the user may see: ours in order, then what comes with the framework."""
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: ORDER.index(app["app_label"]) if app["app_label"] in ORDER else len(ORDER))
