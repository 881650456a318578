"""Orphans in the admin: read, adopted into a workspace, and deleted through their services."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link, operations_table, register_target_page
from apps.operations.models import Operation
from apps.servers.models import Orphan
from apps.servers.services import orphans
from apps.system.admin import Button, ReadOnlyAdmin, Table, ago, badge, linked, list_of
from apps.workspaces.models import Workspace

register_target_page("orphan", "admin:servers_orphan_change")


@admin.register(Orphan)
class OrphanAdmin(ReadOnlyAdmin):
    """Orphans."""

    read_permission = "server_read"
    empty_text = "Machines that this installation has made and that belong to no server would be here."
    list_display = ("machine", "state_badge", "account", "plan", "zone", "found", "seen", "ref_text")
    list_filter = ("account",)
    list_select_related = ("account",)
    sortable_by = ("found",)
    search_fields = ("ref", "hostname", "server_id")
    search_help_text = "Part of hostname, machine id or server id"
    actions = ["adopt_orphans", "delete_orphans"]
    fieldsets = [
        (None, {"fields": ["hostname", "state_badge", "ref_text", linked("account"), "plan", "zone"]}),
        ("Label of the machine", {"fields": ["server_id", "found", "seen", "id"]}),
    ]

    def has_server_create_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to create servers."""
        return self.allows(request, "server_create")

    def has_server_delete_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to delete servers."""
        return self.allows(request, "server_delete")

    @admin.action(description="Adopt into a workspace…", permissions=["server_create"])
    def adopt_orphans(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Ask for the workspace, then queue the adoptions."""
        if "confirmed" not in request.POST:
            return self.ask(request, queryset, "adopt_orphans", "Adopt", Workspace.objects.order_by("name"))

        def adopt(orphan: Orphan) -> SafeString:
            place = request.POST.get("workspace", "")
            operation = orphans.adopt_orphan(orphan_id=orphan.pk, actor=current_user(request), workspace=place)
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, adopt, note="Queued its adoption.")
        return None

    @admin.action(description="Delete machines…", permissions=["server_delete"])
    def delete_orphans(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Ask once, then queue the deletions."""
        if "confirmed" not in request.POST:
            return self.ask(request, queryset, "delete_orphans", "Delete")

        def delete(orphan: Orphan) -> SafeString:
            operation = orphans.delete_orphan(orphan_id=orphan.pk, actor=current_user(request))
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, delete, note="Queued its deletion.")
        return None

    def ask(
        self, request: HttpRequest, queryset: QuerySet, action: str, verb: str, workspaces: QuerySet | None = None
    ) -> TemplateResponse | None:
        """Show what would be done."""
        found = self.limited_selection(request, queryset)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb} orphans",
            "opts": self.opts,
            "media": self.media,
            "found": found,
            "action": action,
            "verb": verb,
            "workspaces": workspaces,
        }
        return TemplateResponse(request, "admin/servers/orphans.html", context) if found else None

    def buttons(self, request: HttpRequest, row: Orphan) -> list[Button]:
        """Offer both; the next page asks."""
        return [Button("adopt_orphans", "Adopt…"), Button("delete_orphans", "Delete machine…")]

    def tables(self, request: HttpRequest, row: Orphan) -> list[Table]:
        """Show its operations."""
        operations = Operation.objects.visible_to(request.user).filter(target=row.target)
        return [operations_table(operations, title="Operations", more=list_of(Operation, target=row.target))]

    def page_title(self, row: Orphan) -> str:
        """Return the hostname, or what the provider calls the machine."""
        return row.hostname or row.ref

    @admin.display(description="hostname")
    def machine(self, row: Orphan) -> str:
        """Show the hostname, or what the provider calls the machine."""
        return self.page_title(row)

    @admin.display(description="id at the provider")
    def ref_text(self, row: Orphan) -> str:
        """Show what the provider calls the machine."""
        return row.ref

    @admin.display(description="found", ordering="found_at")
    def found(self, row: Orphan) -> SafeString | str:
        """Show when it was first seen."""
        return ago(row.found_at)

    @admin.display(description="last seen")
    def seen(self, row: Orphan) -> SafeString | str:
        """Show when a list showed it last."""
        return ago(row.seen_at)

    @admin.display(description="state")
    def state_badge(self, row: Orphan) -> SafeString:
        """Show the state."""
        return badge(row.state)
