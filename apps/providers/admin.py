"""Provider accounts in the admin: their credentials go in and never come out; plans and zones are only read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.operations.admin import operations_table, target_pages
from apps.operations.models import Operation
from apps.providers import services
from apps.providers.models import Account, Plan, Zone
from apps.system.admin import Button, ReadOnlyAdmin, ServiceForm, Table, link, list_of

LIMITS = ["time_limit", "max_servers", "max_monthly_price", "max_creating"]
target_pages.update(dict.fromkeys(("catalogue", "account", "compare"), "admin:providers_account_change"))

# Apps above add actions on accounts, and the buttons for them.
account_actions: list[str | Callable[..., Any]] = ["read_catalogue", "test_connection"]
account_buttons: list[Button] = []


class WriteOnly(forms.Textarea):
    """A text that is taken and never shown, not even when the form comes back with errors."""

    def format_value(self, value: Any) -> str:
        """Show nothing."""
        return ""


class CredentialsField(forms.CharField):
    """Credentials, one `name=value` a line."""

    widget = WriteOnly({"rows": 4, "autocomplete": "off", "spellcheck": "false"})

    def clean(self, value: str | None) -> dict[str, str]:
        """Return the values by name. Raises ValidationError, which repeats nothing of what was given."""
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        pairs = [(name.strip(), rest.strip()) for name, _, rest in (line.partition("=") for line in lines)]
        if not all(name and rest for name, rest in pairs):
            raise forms.ValidationError("Give one name=value a line, such as username=… and password=….")
        return dict(pairs)


class AccountForm(ServiceForm):
    """An account; the provider is chosen once, the credentials are kept when none are given."""

    provider = forms.ChoiceField(
        choices=lambda: sorted((name, offer.title) for name, offer in services.offered.items())
    )
    endpoint = forms.CharField(
        max_length=255,
        required=False,
        widget=forms.TextInput({"class": "vLargeTextField"}),
        help_text="Where the provider's API is reached, if not at its public address.",
    )
    credentials = CredentialsField(required=False)

    class Meta:
        model = Account
        fields = ["provider", "name", "workspace", "endpoint", "enabled", *LIMITS]
        help_texts = {
            "workspace": "Only this workspace may use it; left empty, all may.",
            "enabled": "Off: no new servers with it; those it has stay and can be deleted.",
            "time_limit": "Seconds that creating or deleting a server may take; empty: 900.",
            "max_servers": "So many servers it may have; empty: any number.",
            "max_monthly_price": "So much its servers may cost a month together, in the currency of its prices.",
            "max_creating": "So many machines may be on order at the same moment; others wait, and say so.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.fields["provider"].disabled = True
        self.fields["credentials"].help_text = self.credentials_help()

    def credentials_help(self) -> str:
        """Say which credentials each provider needs."""
        kept = " Leave empty to keep the present ones." if self.instance.pk else ""
        wanted = "; ".join(
            f"{offer.title}: {services.needed(name)}" for name, offer in sorted(services.offered.items())
        )
        return f"One name=value a line. {wanted}. Stored encrypted, never shown again.{kept}"

    def act(self) -> Account:
        """Create or change the account."""
        facts = dict(self.cleaned_data)
        if self.instance.pk is None:
            return services.create_account(**facts)
        del facts["provider"]
        return services.change_account(account=self.instance, **facts)


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts; one permission covers them whole, for who may change credentials may do anything with the account."""

    read_permission = add_permission = change_permission = "account_change"
    form = AccountForm
    list_display = ("__str__", "workspace", "endpoint", "enabled", "works", "read_at", "compared_at", "created_at")
    list_filter = ("enabled", "workspace")
    list_select_related = ("workspace",)
    sortable_by = ()
    actions = account_actions
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "provider",
                    "name",
                    "workspace",
                    "endpoint",
                    "enabled",
                    "credentials",
                    ("works", "read_at"),
                    "compared_at",
                ]
            },
        ),
        ("Limits", {"fields": LIMITS}),
    ]
    readonly_fields = ["works", "read_at", "compared_at"]

    def has_account_change_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to change accounts."""
        return self.allows(request, "account_change")

    @admin.display(description="plans and zones read")
    def read_at(self, row: Account) -> str:
        """Show when the catalogue was read."""
        return localize(row.refreshed_at) if row.refreshed_at else "never"

    @admin.action(description="Read plans and zones", permissions=["account_change"])
    def read_catalogue(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the reading of what the accounts offer."""

        def read(account: Account) -> SafeString:
            operation = services.refresh_catalogue(account=account, actor=request.user)
            return format_html("Reading of plans and zones of {} queued: {}", account, link(operation))

        self.act_on_each(request, queryset, read, note="Queued the reading of plans and zones.")

    @admin.display(description="works")
    def works(self, row: Account) -> str:
        """Show whether it worked when it was last asked for anything, and if not, why."""
        if row.checked_at is None:
            return "not known yet"
        return f"no: {row.problem}" if row.problem else f"yes, {localize(row.checked_at)}"

    @admin.action(description="Test connection", permissions=["account_change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the question whether the accounts work."""

        def test(account: Account) -> SafeString:
            operation = services.check_account(account=account, actor=request.user)
            return format_html("Test of {} queued: {}", account, link(operation))

        self.act_on_each(request, queryset, test, note="Queued a test of the connection.")

    def buttons(self, request: HttpRequest, row: Account) -> list[Button]:
        """Offer to test it and to read the catalogue."""
        own = [Button("test_connection", "Test connection"), Button("read_catalogue", "Read plans and zones")]
        return [*own, *account_buttons]

    def tables(self, request: HttpRequest, row: Account) -> list[Table]:
        """Show what was read, and when it was tried."""
        target = f"catalogue:{row.pk}"
        found = [
            ["Plans", format_html('<a href="{}">{}</a>', list_of(Plan, account=row.pk), row.plans.count())],
            ["Zones", format_html('<a href="{}">{}</a>', list_of(Zone, account=row.pk), row.zones.count())],
        ]
        readings = Operation.objects.visible_to(request.user).filter(target=target)
        return [
            Table("Catalogue", ["What", "How many"], found),
            operations_table(readings, title="Readings", more=list_of(Operation, target=target), most=5),
        ]


class CatalogueAdmin(ReadOnlyAdmin):
    """Rows that a reading of the provider's catalogue writes."""

    read_permission = "account_change"
    list_select_related = ("account",)
    list_filter = ("account",)
    search_fields = ("name",)


@admin.register(Plan)
class PlanAdmin(CatalogueAdmin):
    """Plans."""

    list_display = ("name", "account", "family", "cpus", "memory", "disk", "retired_at")
    fields = ["name", "account", "family", "cpus", "memory", "disk", "retired_at", "price_list"]

    @admin.display(description="memory", ordering="memory_mib")
    def memory(self, row: Plan) -> str:
        """Show GiB."""
        return f"{row.memory_mib / 1024:g} GiB"

    @admin.display(description="disk", ordering="disk_gib")
    def disk(self, row: Plan) -> str:
        """Show GiB."""
        return f"{row.disk_gib} GiB"

    @admin.display(description="prices")
    def price_list(self, row: Plan) -> SafeString | str:
        """Show the price in each zone."""
        prices = sorted(row.prices.items())
        lines = ((zone, price["hourly"], price["monthly"], price["currency"]) for zone, price in prices)
        return format_html_join("", "<div>{}: {} an hour, {} a month ({})</div>", lines) or "-"


@admin.register(Zone)
class ZoneAdmin(CatalogueAdmin):
    """Zones."""

    list_display = ("name", "title", "account", "retired_at")
    fields = ["name", "title", "account", "retired_at"]
