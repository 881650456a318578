"""Taskservs in the admin, to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.admin import operations_table, target_pages
from apps.operations.models import Operation
from apps.servers.admin import server_tables
from apps.servers.models import Server
from apps.system.admin import ReadOnlyAdmin, Table, badge, link, list_of, pretty
from apps.taskservs.catalogue import catalogue
from apps.taskservs.models import Taskserv

EMULATED = "emulated: nothing is really installed"

target_pages["taskserv"] = "admin:taskservs_taskserv_change"


def emulated_badge(emulated: bool) -> SafeString | str:
    """Say that an installation only pretends."""
    return format_html('<span class="badge badge-emulated">{}</span>', EMULATED) if emulated else "-"


def on_server(server: Server) -> Table:
    """Show what is installed on a server, for its page."""
    rows = server.taskservs.order_by("name", "created_at")
    return Table(
        title="Taskservs",
        columns=["Taskserv", "Version", "Status", "Installation"],
        rows=[[link(row, row.name), row.version, badge(row.status), emulated_badge(server.emulated)] for row in rows],
        more=list_of(Taskserv, servers__id=server.pk),
        empty="Nothing is installed here.",
        permission="taskserv_read",
    )


server_tables.append(on_server)


class NameFilter(admin.SimpleListFilter):
    """Pick taskservs by name, asking the catalogue which there are."""

    title, parameter_name = "name", "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the catalogue."""
        return [(name, definition.title) for name, definition in catalogue().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(name=self.value()) if self.value() else queryset


@admin.register(Taskserv)
class TaskservAdmin(ReadOnlyAdmin):
    """Taskservs."""

    read_permission = "taskserv_read"
    list_display = ("name", "version", "on", "status_badge", "stands_for", "workspace", "created_at")
    list_filter = ("status", NameFilter, "workspace")
    list_select_related = ("workspace",)
    sortable_by = ("created_at",)
    ordering = ("-created_at", "-id")
    search_fields = ("=id", "name", "servers__hostname")
    search_help_text = "An id, or part of a name or hostname."
    fieldsets = [
        (None, {"fields": [("name", "version"), ("status_badge", "stands_for"), "workspace", "config_json"]}),
        (None, {"fields": [("id", "created_at")]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read the servers along."""
        return super().get_queryset(request).prefetch_related("servers")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let a server's page link to the list of what is on it."""
        return lookup == "servers__id" or super().lookup_allowed(lookup, value, request)

    def tables(self, request: HttpRequest, row: Taskserv) -> list[Table]:
        """Show where it is, and its operations."""
        installations = row.installations.select_related("server")
        where = Table(
            title="Servers",
            columns=["Server", "Status", "Begun", "Installation"],
            rows=[
                [link(each.server), badge(each.server.status), each.begun_at, emulated_badge(each.server.emulated)]
                for each in installations
            ],
        )
        operations = Operation.objects.visible_to(request.user).filter(target=row.target)
        return [where, operations_table(operations, title="Operations", more=list_of(Operation, target=row.target))]

    @admin.display(description="servers")
    def on(self, row: Taskserv) -> str:
        """Name the servers."""
        return ", ".join(sorted(server.hostname for server in row.servers.all())) or "-"

    @admin.display(description="status")
    def status_badge(self, row: Taskserv) -> SafeString:
        """Show the status."""
        return badge(row.status)

    @admin.display(description="installation")
    def stands_for(self, row: Taskserv) -> SafeString | str:
        """Say whether anything is really installed."""
        return emulated_badge(any(server.emulated for server in row.servers.all()))

    @admin.display(description="configuration")
    def config_json(self, row: Taskserv) -> SafeString | str:
        """Show the configuration."""
        return pretty(row.config)
