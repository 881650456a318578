"""The admin site: its titles, and its pages in an operator's order."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.core.exceptions import FieldError, ValidationError
from django.db import DataError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.module_loading import import_string
from django.utils.text import capfirst, slugify
from unfold.admin import ModelAdmin as ThemedModelAdmin
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

SECTIONS = {
    "Control plane": ["operations", "servers", "taskservs", "workflows", "workspaces"],
    "Providers": ["providers"],
    "People": ["accounts", "auth"],
}


def may_enter(user: Any) -> bool:
    """Tell whether a user may enter: whoever is active and may do anything at all; each page asks for more."""
    return bool(user.is_active and (user.is_staff or user.get_all_permissions()))


class LoginForm(AuthenticationForm):
    """The login of the admin site, for all roles."""

    required_css_class = "required"
    error_messages = DjangoAuthenticationForm.error_messages

    def confirm_login_allowed(self, user: Any) -> None:
        """Refuse, like a wrong password, who may do nothing here. Raises ValidationError."""
        DjangoAuthenticationForm.confirm_login_allowed(self, user)
        if not may_enter(user):
            raise self.get_invalid_login_error()


BAD_FILTER = (ValueError, TypeError, ArithmeticError, DataError, FieldError, ValidationError)
BAD_REGEX = "user-defined function raised exception"  # SQLite asks Python to match, and says no more than this


class RefusesBadFilters:
    """Lead from a query string that database or Python cannot work with to the whole list."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Title the list by what it lists."""
        title = capfirst(self.opts.verbose_name_plural)  # type: ignore[attr-defined]
        return super().changelist_view(request, {"title": title, **(extra_context or {})})  # type: ignore[misc]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Make the list. Raises IncorrectLookupParameters, which Django answers by redirecting to the whole list."""
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc]
        except (*BAD_FILTER, OperationalError) as error:
            is_bad = isinstance(error, BAD_FILTER) or BAD_REGEX in str(error)
            if not is_bad or not request.GET or ERROR_FLAG in request.GET:
                raise
            messages.warning(request, "That filter cannot be used; the whole list is shown.")
            raise IncorrectLookupParameters(error) from error


def panels(request: HttpRequest) -> dict[str, Any]:
    """Return what the dashboard shows; it is imported late, for its parts are registered with this site."""
    return import_string("provisioning.dashboard.panels")(request)


class Site(UnfoldAdminSite):
    """The admin site."""

    login_form = LoginForm

    site_header = site_title = "Provisioning"
    index_title = "Provisioning"
    site_url = "/v1/docs"

    def extra_urls(self) -> list[Any]:
        """Add what the dashboard reads while it is open."""
        return [path("dashboard/", self.admin_view(self.dashboard), name="dashboard")]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the dashboard."""
        return super().index(request, {**panels(request), "title": "Dashboard", **(extra_context or {})})

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        """Answer the dashboard's panels as they are now."""
        return render(request, "admin/dashboard/panels.html", panels(request))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Log out by the button; the mere address leads to the dashboard, since no link may log anybody out."""
        return super().logout(request, extra_context) if request.method == "POST" else redirect("admin:index")

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in all roles."""
        return may_enter(request.user)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register pages whose lists refuse bad filters, those that came with libraries too."""
        given = admin_class or ModelAdmin
        bases: list[type] = [] if issubclass(given, RefusesBadFilters) else [RefusesBadFilters]
        bases += [given] if issubclass(given, ThemedModelAdmin) else [given, ThemedModelAdmin]
        if len(bases) > 1:
            given = type(given.__name__, tuple(bases), {})
        super().register(model_or_iterable, given, **options)

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
