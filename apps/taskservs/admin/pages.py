"""Taskservs in the admin, to be read."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.operations.admin import (
    error_of,
    in_names,
    message_of,
    operations_table,
    register_target_page,
    title_of,
)
from apps.operations.models import Operation
from apps.servers.admin import register_server_link, register_server_table
from apps.servers.models import Server
from apps.system.admin import (
    PageLink,
    Problem,
    ReadOnlyAdmin,
    Table,
    ago,
    facts,
    link,
    linked,
    list_of,
    standing_badge,
)
from apps.taskservs.admin.actions import ActionsMixin
from apps.taskservs.admin.credentials import CredentialsMixin, credentials_links, looks_table
from apps.taskservs.admin.health import HealthFilter, bad_health, health_badge, worst_badge
from apps.taskservs.admin.install import InstallMixin, versions_above
from apps.taskservs.admin.names import full_name
from apps.taskservs.admin.search import search
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services import credentials

AFTER_FAILURE = "Apply its configuration once more with Configure, or remove it."

register_target_page("taskserv", "admin:taskservs_taskserv_change")
register_target_page("verify", "admin:taskservs_taskserv_change")


def connect_text(known: Definition | None, row: Taskserv, each: Installation) -> str:
    """Say where clients connect on a server."""
    if known is None or not each.server.ip_address:
        return "-"
    config = known.complete(row.config)
    roles = [end for end in known.endpoints if not end.roles or each.role in end.roles]
    text = ", ".join(f"{end.scheme}://{each.server.ip_address}:{end.port_number(config)}" for end in roles)
    return f"{text}, from the server itself only" if text and is_local_only(row, config) else text or "-"


def is_local_only(row: Taskserv, config: dict[str, Any]) -> bool:
    """Tell whether it listens on loopback addresses only: its option `bind` says so, and it has no other members."""
    bind = config.get("bind")
    addresses = [bind] if isinstance(bind, str) else bind or []
    is_alone = len(row.servers.all()) == 1
    return bool(addresses) and is_alone and all(is_loopback(str(address)) for address in addresses)


def is_loopback(address: str) -> bool:
    """Tell whether an address, perhaps with a leading minus, is one that only the machine itself reaches."""
    try:
        return ip_address(address.removeprefix("-")).is_loopback
    except ValueError:
        return address == "localhost"


def on_server(server: Server) -> Table:
    """Show what is installed on a server, for its page."""
    rows = server.installations.select_related("taskserv").order_by("taskserv__name", "taskserv__created_at")
    return Table(
        title="Taskservs",
        columns=["Taskserv", "Version", "Status", "Health"],
        rows=[
            [
                link(each.taskserv, each.taskserv.name),
                each.taskserv.version,
                standing_badge(each.taskserv.status),
                health_badge(each),
            ]
            for each in rows
        ],
        more=list_of(Taskserv, servers__id=server.pk),
        more_text="Show them in the list",
        empty="Nothing is installed here.",
        permission="taskserv_read",
    )


def install_link(server: Server) -> PageLink:
    """Lead from a server to the catalog."""
    query = urlencode({"workspace": server.workspace.name, "servers": server.hostname})
    return PageLink("Install a taskserv", f"{reverse('admin:taskservs_taskserv_add')}?{query}", "taskserv_create")


register_server_table(on_server)
register_server_link(install_link)


class NameFilter(admin.SimpleListFilter):
    """Pick taskservs by name, asking the catalog which there are."""

    title, parameter_name = "name", "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the catalog."""
        return [(name, definition.title) for name, definition in load_catalog().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(name=self.value()) if self.value() else queryset


@admin.register(Taskserv)
class TaskservAdmin(InstallMixin, ActionsMixin, CredentialsMixin, ReadOnlyAdmin):
    """Taskservs."""

    read_permission = "taskserv_read"
    add_label = "Install a taskserv"
    empty_text = "A taskserv is a service on servers, such as redis or nginx."
    first_step = "Choose one of the catalog, and a running server."
    list_display = ("name", "version", "on", "status_badge", "health", "workspace", "created")
    list_filter = ("status", HealthFilter, NameFilter, "workspace")
    list_select_related = ("workspace",)
    sortable_by = ("created",)
    ordering = ("-created_at", "-id")
    actions = ["verify_taskservs", "upgrade_taskservs", "remove_taskservs"]
    search_fields = ("id", "name", "servers__hostname")
    search_help_text = "Name or id, or hostname, address or tag of its servers"
    fieldsets = [
        (
            "Service",
            {"fields": ["title", "version", "status_badge", "health", linked("workspace"), "created"]},
        ),
        ("Configuration", {"fields": ["config_facts"]}),
        ("For engineers", {"classes": ["collapse"], "fields": ["id"]}),
    ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find by id, part of the name in the catalog, or a server that it is on."""
        term = search_term.strip()
        return queryset.filter(pk__in=search(term)) if term else queryset, False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read the servers and how each was found along."""
        return super().get_queryset(request).prefetch_related("servers", "installations")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let a server's page link to the list of what is on it."""
        return lookup == "servers__id" or super().lookup_allowed(lookup, value, request)

    def problems(self, request: HttpRequest, row: Taskserv) -> list[Problem]:
        """Say why it failed, and what is under way."""
        mine = Operation.objects.filter(target__in=[row.target, f"verify:{row.pk}"]).order_by("-created_at")
        failed = mine.filter(status=Operation.Status.FAILED).first() if row.status == Taskserv.Status.FAILED else None
        found = (
            [Problem(f"{title_of(failed)}: failed", error_of(failed), AFTER_FAILURE, permission="taskserv_create")]
            if failed
            else []
        )
        if row.status == Taskserv.Status.RUNNING:
            found += bad_health(row)
        return found + [
            Problem(f"Under way: {title_of(each)}", message_of(each), level="info") for each in mine.unfinished()
        ]

    def tables(self, request: HttpRequest, row: Taskserv) -> list[Table]:
        """Show where it is, and its operations."""
        installations = row.installations.select_related("server").order_by("position")
        where = Table(
            title="Servers",
            columns=["Server", "Role", "State", "Health", "Version", "What it says", "Connect"],
            rows=[
                [
                    link(each.server),
                    each.role or "-",
                    standing_badge(each.state),
                    health_badge(each),
                    each.version or "-",
                    in_names([" ".join(text for text in (each.error, each.drift) if text)])[0] or "-",
                    connect_text(self.definition_of(row), row, each),
                ]
                for each in installations
            ],
        )
        mine = Operation.objects.visible_to(request.user).filter(target__in=[row.target, f"verify:{row.pk}"])
        operations = operations_table(mine, title="Operations", more=list_of(Operation, target=row.target))
        return [where, operations, *([looks_table(row)] if credentials.opened_by(row).exists() else [])]

    def page_links(self, request: HttpRequest, row: Taskserv) -> list[PageLink]:
        """Lead to the forms that change it, and to its credentials."""
        known, secrets = self.definition_of(row), credentials_links(row)
        if known is None or row.status == Taskserv.Status.DELETING:
            return secrets
        configure, upgrade, remove = (
            reverse(f"admin:taskservs_taskserv_{action}", args=[row.pk])
            for action in ("configure", "upgrade", "remove")
        )
        found = [*secrets, PageLink("Remove…", remove, "taskserv_delete", is_last=True)]
        if row.status not in (Taskserv.Status.RUNNING, Taskserv.Status.FAILED):
            return found
        if newer := versions_above(row.version, known):
            found = [PageLink(f"Upgrade to {newer[-1]}", upgrade, "taskserv_create"), *found]
        return [PageLink("Configure", configure, "taskserv_create", primary=True), *found]

    def definition_of(self, row: Taskserv) -> Definition | None:
        """Return its entry of the catalog, None where that is gone."""
        return load_catalog(row.workspace.path).get(row.name)

    @admin.display(description="service")
    def title(self, row: Taskserv) -> str:
        """Show the title of the catalog."""
        known = self.definition_of(row)
        return known.title if known else row.name

    @admin.display(description="created", ordering="created_at")
    def created(self, row: Taskserv) -> SafeString | str:
        """Show when it was asked for."""
        return ago(row.created_at)

    def page_title(self, row: Taskserv) -> str:
        """Return its name and where it is."""
        return full_name(row)

    @admin.display(description="servers")
    def on(self, row: Taskserv) -> str:
        """Name the servers."""
        return ", ".join(sorted(server.hostname for server in row.servers.all())) or "-"

    @admin.display(description="status")
    def status_badge(self, row: Taskserv) -> SafeString:
        """Show the status."""
        return standing_badge(row.status)

    @admin.display(description="health")
    def health(self, row: Taskserv) -> SafeString:
        """Show the health of its worst server."""
        return worst_badge(row)

    @admin.display(description="configuration")
    def config_facts(self, row: Taskserv) -> SafeString | str:
        """Show the configuration."""
        shown = credentials.shown_config(row)
        return facts(shown) if shown else "all options have their defaults"
