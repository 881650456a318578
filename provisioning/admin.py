"""The admin site: its titles, and its pages in an operator's order."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import slugify

SECTIONS = {
    "Control plane": ["operations", "servers", "taskservs", "workflows", "workspaces"],
    "Providers": ["providers"],
    "People": ["accounts", "auth"],
}


class Site(AdminSite):
    """The admin site."""

    site_header = site_title = "Provisioning"
    index_title = "Provisioning"
    site_url = "/v1/docs"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Return what the user may see: ours in sections, then what came with the framework."""
        apps = super().get_app_list(request, app_label)
        if app_label:
            return apps
        known = {app["app_label"]: app for app in apps}
        ours = [
            self.section(title, [known.pop(name) for name in names if name in known])
            for title, names in SECTIONS.items()
        ]
        return [section for section in ours if section["models"]] + list(known.values())

    def section(self, title: str, apps: list[dict[str, Any]]) -> dict[str, Any]:
        """Return several apps as one."""
        label = slugify(title)
        models = [model for app in apps for model in app["models"]]
        address = f"{reverse('admin:index', current_app=self.name)}#{label}"
        return {"name": title, "app_label": label, "app_url": address, "has_module_perms": True, "models": models}
