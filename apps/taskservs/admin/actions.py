"""What can be done with taskservs: verify, upgrade and remove them, each through its service."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link
from apps.operations.models import Operation
from apps.system.admin import Button
from apps.taskservs.install_plan import definition_of
from apps.taskservs.models import Taskserv
from apps.taskservs.services import delete, health, upgrade

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object


class ActionsMixin(Base):
    """The actions of taskservs."""

    def has_taskserv_create_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to install."""
        return self.allows(request, "taskserv_create")

    def has_taskserv_delete_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to remove."""
        return self.allows(request, "taskserv_delete")

    @admin.action(description="Verify selected taskservs", permissions=["taskserv_create"])
    def verify_taskservs(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue verifications."""
        self.queue_each(
            request, queryset, lambda row: health.verify_taskserv(taskserv_id=row.pk, actor=current_user(request))
        )

    @admin.action(description="Upgrade to the newest version", permissions=["taskserv_create"])
    def upgrade_taskservs(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue upgrades to the newest version of the catalog."""

        def submit(row: Taskserv) -> Operation:
            newest = definition_of(row).versions[-1]
            return upgrade.upgrade_taskserv(taskserv_id=row.pk, actor=current_user(request), version=newest)

        self.queue_each(request, queryset, submit)

    @admin.action(description="Remove selected taskservs…", permissions=["taskserv_delete"])
    def remove_taskservs(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Ask once, then queue removals; one alone has a page for it, with a check."""
        if "confirmed" not in request.POST:
            rows = self.limited_selection(request, queryset)
            if len(rows) == 1:
                return HttpResponseRedirect(reverse("admin:taskservs_taskserv_remove", args=[rows[0].pk]))
            context = {
                **self.admin_site.each_context(request),
                "title": "Remove taskservs",
                "opts": self.opts,
                "media": self.media,
                "rows": rows,
                "page": request.POST.get("page", ""),
            }
            return TemplateResponse(request, "admin/taskservs/remove.html", context) if rows else None
        purge = "purge" in request.POST
        self.queue_each(
            request,
            queryset,
            lambda row: delete.delete_taskserv(taskserv_id=row.pk, actor=current_user(request), purge=purge),
        )
        return None

    def queue_each(self, request: HttpRequest, queryset: QuerySet, submit: Callable[[Any], Operation]) -> None:
        """Submit an operation for each row, and show the result of each."""

        def act(row: Taskserv) -> SafeString:
            return format_html("Queued: {}", operation_link(submit(row)))

        self.act_on_each(request, queryset, act, note="Queued.")

    def buttons(self, request: HttpRequest, row: Taskserv) -> list[Button]:
        """Offer what can be done with it as it is now."""
        return [Button("verify_taskservs", "Verify")] if row.status == Taskserv.Status.RUNNING else []
