"""Servers in the admin: read, and deleted through their service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link, operations_table, register_target_page
from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.providers.registry import title_of
from apps.servers import registry, services
from apps.servers.admin.create import CreateMixin
from apps.servers.admin.drift_repair import REPAIRS, RepairMixin
from apps.servers.admin.lifecycle import ExpiryFilter, LifecycleMixin
from apps.servers.admin.price import price_text, read_plans, size_text, ssh_command
from apps.servers.admin.problems import problems_of
from apps.servers.admin.search import search
from apps.servers.models import DeletedServer, Server
from apps.system.admin import (
    Button,
    PageLink,
    Problem,
    ReadOnlyAdmin,
    Table,
    ago,
    copyable,
    facts,
    linked,
    list_of,
    standing_badge,
)
from apps.system.admin.filters import DateRange

EMULATED = "emulated: nothing real stands behind it"

WORKSPACE, ACCOUNT = linked("workspace"), linked("account")

register_target_page("server", "admin:servers_server_change")

_server_tables: list[Callable[[Server], Table]] = []
_server_links: list[Callable[[Server], PageLink]] = []


def register_server_table(table: Callable[[Server], Table]) -> None:
    """Add a table to the page of each server."""
    _server_tables.append(table)


def register_server_link(link_of: Callable[[Server], PageLink]) -> None:
    """Add a link to the page of each server."""
    _server_links.append(link_of)


class ProviderFilter(admin.SimpleListFilter):
    """Pick servers by provider, asking the few accounts which there are."""

    title, parameter_name = "provider", "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the providers that have an account."""
        names = set(CloudAccount.objects.values_list("provider", flat=True))
        return sorted(((name, title_of(name)) for name in names), key=lambda choice: choice[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(provider=self.value()) if self.value() else queryset


@admin.register(Server)
class ServerAdmin(CreateMixin, LifecycleMixin, RepairMixin, ReadOnlyAdmin):
    """Servers."""

    read_permission = "server_read"
    add_label, empty_text = (
        "Create servers",
        "The machines that are rented from providers, or run here, are listed here.",
    )
    first_step = "Create the first one: choose a workspace, a provider and a plan."
    list_display = (
        "hostname",
        "state",
        "address",
        "workspace",
        "provider_text",
        "plan",
        "zone",
        "monthly_price",
        "expires",
        "created",
    )
    list_filter = (
        "status",
        "drift",
        "workspace",
        ProviderFilter,
        "emulated",
        "protected",
        ExpiryFilter,
        ("created_at", DateRange),
    )
    list_filter_submit = True
    list_select_related = ("workspace", "account")
    sortable_by = ("created",)
    ordering = ("-created_at", "-id")
    search_fields = ("hostname", "id", "ip_address")
    search_help_text = "Hostname, id, address or tag"
    actions = [
        *("start_servers", "stop_servers", "reboot_servers", "protect_servers", "unprotect_servers"),
        *REPAIRS,
        "delete_servers",
    ]
    fieldsets = [
        (
            "Machine",
            {
                "fields": [
                    "status_badge",
                    "drift_badge",
                    "address",
                    "ssh_command",
                    "stands_for",
                    "plan_text",
                    "monthly_price",
                ]
            },
        ),
        ("Place", {"fields": [WORKSPACE, ACCOUNT, "zone", "image_text", "tag_list", "created"]}),
        ("Protection and expiry", {"fields": ["protected", "expires_at"]}),
        ("For engineers", {"classes": ["collapse"], "fields": ["id", "ref", "disk_facts"]}),
    ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find by the beginning of hostname or id, or by address or tag."""
        term = search_term.strip()
        return queryset.filter(pk__in=search(term)) if term else queryset, False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read workspace and account along."""
        return super().get_queryset(request).select_related("workspace", "account")

    def has_server_delete_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to delete servers."""
        return self.allows(request, "server_delete")

    @admin.action(description="Delete selected servers…", permissions=["server_delete"])
    def delete_servers(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Ask once, then queue the deletions."""
        if "confirmed" not in request.POST:
            servers = self.limited_selection(request, queryset)
            return self.ask(request, servers) if servers else None
        force = "force" in request.POST

        def delete(server: Server) -> SafeString:
            operation = services.delete_server(server_id=server.pk, actor=current_user(request), force=force)
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, delete, note="Queued its deletion.")
        return None

    def ask(self, request: HttpRequest, servers: list[Server]) -> TemplateResponse:
        """Show what would be deleted."""
        found = [(server, [name.partition(" (")[0] for name in registry.occupants_of(server)]) for server in servers]
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete servers",
            "opts": self.opts,
            "media": self.media,
            "found": found,
            "page": request.POST.get("page", ""),
        }
        return TemplateResponse(request, "admin/servers/delete.html", context)

    def absence(self, id: str) -> SafeString | str:
        """Say when a deleted server was deleted, and lead to its operations."""
        gone = DeletedServer.objects.filter(pk=id).first()
        if gone is None:
            return super().absence(id)
        its = list_of(Operation, target=f"server:{gone.pk}")
        return format_html(
            '{} was deleted {}. <a href="{}">Show its operations</a>', gone.hostname, ago(gone.deleted_at), its
        )

    def prepare(self, rows: Sequence[Server]) -> None:
        """Read the plans of all rows at once, for their prices."""
        read_plans(rows)

    def problems(self, request: HttpRequest, row: Server) -> list[Problem]:
        """Say what is wrong, and what to do next."""
        return problems_of(row)

    def buttons(self, request: HttpRequest, row: Server) -> list[Button]:
        """Offer what can be done with it; where it matters, the next page asks."""
        return [*self.life_buttons(row), *self.repair_buttons(row), Button("delete_servers", "Delete server…")]

    def page_links(self, request: HttpRequest, row: Server) -> list[PageLink]:
        """Lead to what the apps above can do with it."""
        return [link(row) for link in _server_links] if row.status == Server.Status.RUNNING else []

    def tables(self, request: HttpRequest, row: Server) -> list[Table]:
        """Show its operations, and what the apps above know."""
        operations = Operation.objects.visible_to(request.user).filter(target=row.target)
        more = list_of(Operation, target=row.target)
        return [*(table(row) for table in _server_tables), operations_table(operations, title="Operations", more=more)]

    @admin.display(description="status")
    def status_badge(self, row: Server) -> SafeString:
        """Show the status."""
        return standing_badge(row.status)

    @admin.display(description="status")
    def state(self, row: Server) -> SafeString:
        """Show status and drift together."""
        status = self.status_badge(row)
        return format_html("{} {}", status, self.drift_badge(row)) if row.drift else status

    @admin.display(description="machine")
    def stands_for(self, row: Server) -> SafeString | str:
        """Show whether it is a real machine."""
        if row.emulated:
            return format_html('<span class="badge badge-emulated" title="{}">emulated</span>', EMULATED)
        return "real" if row.ref else "-"

    @admin.display(description="provider")
    def provider_text(self, row: Server) -> SafeString | str:
        """Show the provider, and when it is emulated."""
        if not row.emulated:
            return row.provider_title
        return format_html('{} <span class="c-sort" title="{}">emulated</span>', row.provider_title, EMULATED)

    @admin.display(description="tags")
    def tag_list(self, row: Server) -> SafeString | str:
        """Show the tags, each leading to the servers that carry it."""
        found = ((list_of(Server, q=quote(tag)), tag) for tag in row.tags)
        return format_html_join(", ", '<a href="{}">{}</a>', found) or "-"

    @admin.display(description="disks")
    def disk_facts(self, row: Server) -> SafeString | str:
        """Show the disks."""
        return facts(row.disks)

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, row: Server) -> SafeString | str:
        """Show when it is deleted by itself."""
        return "protected" if row.protected else ago(row.expires_at)

    @admin.display(description="created", ordering="created_at")
    def created(self, row: Server) -> SafeString | str:
        """Show when it was asked for."""
        return ago(row.created_at)

    @admin.display(description="cost per month")
    def monthly_price(self, row: Server) -> str:
        """Show what it costs."""
        return price_text(row)

    @admin.display(description="address", ordering="ip_address")
    def address(self, row: Server) -> str:
        """Show the IP address."""
        return row.ip_address or "-"

    @admin.display(description="plan")
    def plan_text(self, row: Server) -> str:
        """Show the plan, and what of the provider's own it came to."""
        return size_text(row)

    @admin.display(description="image")
    def image_text(self, row: Server) -> str:
        """Show what it was made from."""
        return row.image or "the account's default"

    @admin.display(description="log in")
    def ssh_command(self, row: Server) -> SafeString | str:
        """Show the command to log in, to be copied."""
        return copyable(ssh_command(row)) if row.ip_address and not (row.emulated and not row.backed) else "-"
