"""Servers in the admin: read, and deleted through their service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.admin import operations_table, target_pages
from apps.operations.models import Operation
from apps.providers.models import Account
from apps.servers import services
from apps.servers.admin.lifecycle import ExpiryFilter, LifecycleMixin
from apps.servers.admin.repairs import REPAIRS, RepairMixin
from apps.servers.models import Server
from apps.system.admin import Button, ReadOnlyAdmin, Table, badge, link, list_of, pretty

EMULATED = "emulated: nothing real stands behind it"

target_pages["server"] = "admin:servers_server_change"

# Apps above add what else belongs on a server's page.
server_tables: list[Callable[[Server], Table]] = []


class ProviderFilter(admin.SimpleListFilter):
    """Pick servers by provider, asking the few accounts which there are."""

    title, parameter_name = "provider", "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the providers that have an account."""
        return [(name, name) for name in sorted(set(Account.objects.values_list("provider", flat=True)))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(provider=self.value()) if self.value() else queryset


@admin.register(Server)
class ServerAdmin(LifecycleMixin, RepairMixin, ReadOnlyAdmin):
    """Servers."""

    read_permission = "server_read"
    list_display = (
        "hostname",
        "workspace",
        "provider",
        "plan",
        "zone",
        "ip_address",
        "status_badge",
        "drift_badge",
        "stands_for",
        "protected",
        "expires_at",
        "created_at",
    )
    list_filter = ("status", "drift", "workspace", ProviderFilter, "emulated", "protected", ExpiryFilter)
    list_select_related = ("workspace",)
    sortable_by = ("created_at",)
    ordering = ("-created_at", "-id")
    search_fields = ("hostname", "=id", "ip_address")
    search_help_text = "Part of a hostname or address, or an id."
    actions = [
        *("start_servers", "stop_servers", "reboot_servers", "protect_servers", "unprotect_servers"),
        *REPAIRS,
        "delete_servers",
    ]
    fieldsets = [
        (None, {"fields": [("hostname", "status_badge"), ("ip_address", "stands_for"), "workspace", "tag_list"]}),
        ("Drift", {"fields": [("drift_badge", "drift_seen_at"), "drift_note"]}),
        ("Order", {"fields": [("account", "plan", "zone"), ("id", "created_at")]}),
        ("Protection and expiry", {"fields": [("protected", "expires_at"), "stays"]}),
        ("Machine at the provider", {"fields": ["ref", "disks_json"]}),
    ]

    def has_server_delete_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to delete servers."""
        return self.allows(request, "server_delete")

    @admin.action(description="Delete selected servers…", permissions=["server_delete"])
    def delete_servers(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Ask once, then queue the deletions."""
        if "confirmed" not in request.POST:
            servers = self.few(request, queryset)
            return self.ask(request, servers) if servers else None
        force = "force" in request.POST

        def delete(server: Server) -> SafeString:
            operation = services.delete_server(server_id=server.pk, actor=request.user, force=force)
            return format_html("Deletion of {} queued: {}", server.hostname, link(operation))

        self.act_on_each(request, queryset, delete, note="Queued its deletion.")
        return None

    def ask(self, request: HttpRequest, servers: list[Server]) -> TemplateResponse:
        """Show what would be deleted."""
        found = [(server, [name for names in services.occupants for name in names(server)]) for server in servers]
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete servers",
            "opts": self.opts,
            "media": self.media,
            "found": found,
            "page": request.POST.get("page", ""),
        }
        return TemplateResponse(request, "admin/servers/delete.html", context)

    def buttons(self, request: HttpRequest, row: Server) -> list[Button]:
        """Offer what can be done with it; where it matters, the next page asks."""
        return [*self.life_buttons(row), *self.repair_buttons(row), Button("delete_servers", "Delete server…")]

    def tables(self, request: HttpRequest, row: Server) -> list[Table]:
        """Show its operations, and what the apps above know."""
        operations = Operation.objects.visible_to(request.user).filter(target=row.target)
        more = list_of(Operation, target=row.target)
        return [*(table(row) for table in server_tables), operations_table(operations, title="Operations", more=more)]

    @admin.display(description="status")
    def status_badge(self, row: Server) -> SafeString:
        """Show the status."""
        return badge(row.status)

    @admin.display(description="machine")
    def stands_for(self, row: Server) -> SafeString | str:
        """Say whether a machine stands behind it."""
        if row.emulated:
            return format_html('<span class="badge badge-emulated">{}</span>', EMULATED)
        return "real" if row.ref else "-"

    @admin.display(description="tags")
    def tag_list(self, row: Server) -> str:
        """Show the tags."""
        return ", ".join(row.tags) or "-"

    @admin.display(description="disks")
    def disks_json(self, row: Server) -> SafeString | str:
        """Show the disks."""
        return pretty(row.disks)
