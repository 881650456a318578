"""Plans and zones in the admin: only read, with the prices of several accounts side by side."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from apps.providers.admin.prices import cheapest_zone, money, side_by_side
from apps.providers.models import Plan, Zone
from apps.system.admin import PageLink, ReadOnlyAdmin, Table, ago, current_request, link, linked


class OfferedFilter(admin.SimpleListFilter):
    """Pick what the provider offers now, or what it has ceased to offer."""

    title, parameter_name = "offered", "offered"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Offer both."""
        return [("yes", "offered now"), ("no", "no longer offered")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return queryset.filter(retired_at__isnull=self.value() == "yes") if self.value() in ("yes", "no") else queryset


class CatalogAdmin(ReadOnlyAdmin):
    """Rows that a reading of the provider's catalog writes."""

    read_permission = "server_read"
    list_select_related = ("account",)
    list_filter: Any = ("account", OfferedFilter)
    search_fields = ("name",)
    search_help_text = "Part of a name"
    empty_text = "A provider's plans and zones are read when its account is added, and every hour after that."

    @admin.display(description="offered")
    def offered(self, row: Plan | Zone) -> SafeString | str:
        """Show whether it can still be ordered."""
        return "no longer" if row.retired_at else "yes"

    @admin.display(description="no longer offered since")
    def retired(self, row: Plan | Zone) -> SafeString | str:
        """Show since when it cannot be ordered."""
        return ago(row.retired_at)


@admin.register(Plan)
class PlanAdmin(CatalogAdmin):
    """Plans."""

    list_display = ("name", "account", "family_text", "cpu_count", "memory", "disk", "monthly", "offered")
    list_filter = ("account", "cpus", OfferedFilter)
    sortable_by = ("name", "cpu_count", "memory", "disk")
    fields = ["name", linked("account"), "family_text", "cpu_count", "memory", "disk", "retired"]

    def get_urls(self) -> list[URLPattern]:
        """Add the page with prices side by side."""
        view = self.admin_site.admin_view(self.compare_view)
        return [path("compare/", view, name="providers_plan_compare"), *super().get_urls()]

    def list_links(self, request: HttpRequest) -> list[PageLink]:
        """Lead to the page with prices side by side."""
        return [PageLink("Compare prices", reverse("admin:providers_plan_compare"))]

    def compare_view(self, request: HttpRequest) -> TemplateResponse:
        """Show the cheapest plan of each account for each size."""
        current_request.set(request)
        if not self.has_view_permission(request):
            raise PermissionDenied
        least = {name: number_of(request.GET.get(name, "")) for name in ("cpus", "memory")}
        accounts, rows = side_by_side(Plan.objects.all(), cpus=least["cpus"], memory_gib=least["memory"])
        context = {
            **self.admin_site.each_context(request),
            "title": "Compare prices",
            "opts": self.opts,
            "media": self.media,
            "accounts": [link(account) for account in accounts],
            "rows": rows,
            "least": least,
        }
        return TemplateResponse(request, "admin/providers/compare.html", context)

    def tables(self, request: HttpRequest, row: Plan) -> list[Table]:
        """Show the price in each zone."""
        titles = dict(Zone.objects.filter(account=row.account).values_list("name", "title"))
        rows = [
            [f"{zone} {titles.get(zone, '')}".strip(), money(price, "hourly"), money(price)]
            for zone, price in sorted(row.prices.items())
        ]
        return [Table("Prices", ["Zone", "An hour", "A month"], rows, empty="No price is known.")]

    @admin.display(description="kind", ordering="family")
    def family_text(self, row: Plan) -> str:
        """Show the provider's own group of plans."""
        return row.family.replace("_", " ") or "-"

    @admin.display(description="CPUs", ordering="cpus")
    def cpu_count(self, row: Plan) -> int:
        """Show the processors."""
        return row.cpus

    @admin.display(description="memory", ordering="memory_mib")
    def memory(self, row: Plan) -> str:
        """Show GiB."""
        return f"{row.memory_mib / 1024:g} GiB"

    @admin.display(description="disk", ordering="disk_gib")
    def disk(self, row: Plan) -> str:
        """Show GiB; some plans have disks of any size, which cost extra."""
        return f"{row.disk_gib} GiB" if row.disk_gib else "extra"

    @admin.display(description="lowest price per month")
    def monthly(self, row: Plan) -> str:
        """Show the lowest price of all zones."""
        offer = cheapest_zone(row)
        return money(offer.price) if offer else "-"


@admin.register(Zone)
class ZoneAdmin(CatalogAdmin):
    """Zones."""

    list_display = ("name", "title", "account", "offered")
    fields = ["name", "title", linked("account"), "retired"]


def number_of(text: str) -> int:
    """Return a small number that was typed, 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
