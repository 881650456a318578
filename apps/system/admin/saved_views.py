"""Saved views beside the filters of a list."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from apps.system import saved_views
from apps.system.admin.refusals import refusal_text
from apps.system.errors import DomainError


class SavedViewsMixin(ModelAdmin):
    """A list whose filters, search and order each user may save under a name; the views are that user's own."""

    list_before_template = "admin/parts/saved_views.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses that save and delete, in front of a row's own page, whose address takes any path."""
        save, delete = (self.admin_site.admin_view(view) for view in (self.save_list_view, self.delete_list_view))
        own = [
            path("views/save/", save, name=self.page_name("save_view")),
            path("views/<int:id>/delete/", delete, name=self.page_name("delete_view")),
        ]
        return [*own, *super().get_urls()]

    def page_name(self, action: str) -> str:
        """Return the name of an address of this list."""
        return f"{self.opts.app_label}_{self.opts.model_name}_{action}"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the user's views, and offer to save what is shown now."""
        query = saved_views.kept_query(request.GET.urlencode())
        views = list(saved_views.views_of(request.user, self.opts.label_lower)) if request.user.is_authenticated else []
        context = {
            "saved_views": [
                (view, reverse(f"admin:{self.page_name('delete_view')}", args=[view.pk])) for view in views
            ],
            "save_view_address": reverse(f"admin:{self.page_name('save_view')}"),
            "view_query": query,
            "is_saved_view": any(view.query == query for view in views),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def save_list_view(self, request: HttpRequest) -> HttpResponse:
        """Save a view and show it."""
        given = {name: request.POST.get(name, "") for name in ("name", "query")}
        return self.change_list_views(request, saved_views.save_view, "Saved", **given)

    def delete_list_view(self, request: HttpRequest, id: int) -> HttpResponse:
        """Delete a view and show the whole list."""
        return self.change_list_views(request, saved_views.delete_view, "Deleted", id=id)

    def change_list_views(self, request: HttpRequest, act: Any, word: str, **given: Any) -> HttpResponse:
        """Call a service, tell what it came to, and return to the list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            view = act(user=request.user, list_name=self.opts.label_lower, **given)
        except DomainError as refusal:
            messages.error(request, refusal_text(refusal))
        else:
            messages.success(request, f"{word} the view “{view}”.")
        kept = saved_views.kept_query(given.get("query", ""))
        address = reverse(f"admin:{self.page_name('changelist')}")
        return HttpResponseRedirect(f"{address}?{kept}" if kept else address)
