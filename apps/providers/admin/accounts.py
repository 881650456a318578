"""Provider accounts in the admin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import (
    Rerun,
    message_of,
    operation_link,
    operations_table,
    register_rerun,
    register_target_names,
    register_target_page,
    title_of,
)
from apps.operations.models import Operation
from apps.providers import services
from apps.providers.admin.account_form import ABOUT, LIMITS, AccountForm, credential_fieldsets, form_with_credentials
from apps.providers.models import CloudAccount, Plan, Zone
from apps.system.admin import Button, Problem, ReadOnlyAdmin, Table, ago, badge, list_of

PREFIXES = ("catalog", "account", "compare")

for prefix in PREFIXES:
    register_target_page(prefix, "admin:providers_cloudaccount_change")

_account_actions: list[str | Callable[..., Any]] = ["read_catalog", "test_connection"]
_account_buttons: list[Button] = []


def register_account_action(action: Callable[..., Any], button: Button) -> None:
    """Add an action on accounts, and the button for it on an account's page."""
    _account_actions.append(action)
    _account_buttons.append(button)


def account_names(ids: Iterable[str]) -> dict[str, str]:
    """Return provider and name of accounts by id."""
    rows = CloudAccount.objects.filter(pk__in=[id for id in ids if id.isdigit()])
    return {str(row.pk): str(row) for row in rows}


def on_account(service: Callable[..., Operation]) -> Callable[[Operation, Any], Operation]:
    """Return how an operation on an account is submitted again."""

    def submit(operation: Operation, actor: Any) -> Operation:
        return service(account=CloudAccount.objects.get(pk=operation.params["account"]), actor=actor)

    return submit


for prefix in PREFIXES:
    register_target_names(prefix, account_names)
register_rerun(services.REFRESH, Rerun(permission="account_change", submit=on_account(services.refresh_catalog)))
register_rerun(services.CHECK, Rerun(permission="account_change", submit=on_account(services.check_account)))


@admin.register(CloudAccount)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts; one permission covers them whole, for who may change credentials may do anything with the account."""

    read_permission = add_permission = change_permission = "account_change"
    form = AccountForm
    add_label = "Add an account"
    empty_text = "Servers are created at an account of a provider. Add the first one, then test its connection."
    list_display = ("__str__", "state_badge", "used_by", "endpoint", "enabled", "read_at", "compared")
    list_filter = ("enabled", "workspace")
    list_select_related = ("workspace",)
    sortable_by = ()
    actions = _account_actions
    readonly_fields = ["state_badge", "read_at", "compared"]

    def get_fieldsets(self, request: HttpRequest, obj: CloudAccount | None = None) -> Any:
        """Ask for the credentials of the account's provider; for those of each where it is still to be chosen."""
        contact = [("state_badge", "read_at"), "compared"]
        credentials = credential_fieldsets(obj.provider if obj else None)
        if obj is None:
            return [(None, {"fields": ABOUT}), *credentials, ("Limits", {"fields": LIMITS})]
        return [(None, {"fields": [*ABOUT, *contact]}), *credentials, ("Limits", {"fields": LIMITS})]

    def get_form(
        self, request: HttpRequest, obj: CloudAccount | None = None, change: bool = False, **options: Any
    ) -> Any:
        """Add a field for each credential."""
        form = form_with_credentials(obj.provider if obj else None)
        return super().get_form(request, obj, change, **options, form=form)

    def has_account_change_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to change accounts."""
        return self.allows(request, "account_change")

    @admin.display(description="workspace")
    def used_by(self, row: CloudAccount) -> str:
        """Show whose servers it is for."""
        return str(row.workspace or "all")

    @admin.display(description="catalog read")
    def read_at(self, row: CloudAccount) -> SafeString | str:
        """Show when the catalog was read."""
        return ago(row.refreshed_at, empty="never")

    @admin.display(description="servers compared")
    def compared(self, row: CloudAccount) -> SafeString | str:
        """Show when its machines were last compared with the servers."""
        return ago(row.compared_at, empty="never")

    @admin.action(description="Read plans and zones", permissions=["account_change"])
    def read_catalog(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the reading of what the accounts offer."""

        def read(account: CloudAccount) -> SafeString:
            operation = services.refresh_catalog(account=account, actor=current_user(request))
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, read, note="Queued the reading of plans and zones.")

    @admin.display(description="state")
    def state_badge(self, row: CloudAccount) -> SafeString:
        """Show whether it worked when it was last asked for anything, and if not, why."""
        if row.checked_at is None:
            return badge("not tested yet", "skipped")
        if row.problem:
            return format_html('{} <span class="c-soft">{}</span>', badge("does not work", "failed"), row.problem)
        return format_html("{} {}", badge("works", "up"), ago(row.checked_at))

    @admin.action(description="Test connection", permissions=["account_change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the question whether the accounts work."""

        def test(account: CloudAccount) -> SafeString:
            operation = services.check_account(account=account, actor=current_user(request))
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, test, note="Queued a test of the connection.")

    def buttons(self, request: HttpRequest, row: CloudAccount) -> list[Button]:
        """Offer to test it and to read the catalog."""
        own = [Button("test_connection", "Test connection"), Button("read_catalog", "Read plans and zones")]
        return [*own, *_account_buttons]

    def problems(self, request: HttpRequest, row: CloudAccount) -> list[Problem]:
        """Say why it does not work, and what is under way."""
        found = [Problem("It does not work", row.problem)] if row.problem else []
        targets = [f"{prefix}:{row.pk}" for prefix in PREFIXES]
        under_way = Operation.objects.unfinished().filter(target__in=targets).order_by("created_at")
        return found + [Problem(f"Under way: {title_of(each)}", message_of(each), level="info") for each in under_way]

    def tables(self, request: HttpRequest, row: CloudAccount) -> list[Table]:
        """Show what was read, and when it was tried."""
        target = f"catalog:{row.pk}"
        found = [
            ["Plans", format_html('<a href="{}">{}</a>', list_of(Plan, account=row.pk), row.plans.count())],
            ["Zones", format_html('<a href="{}">{}</a>', list_of(Zone, account=row.pk), row.zones.count())],
        ]
        readings = Operation.objects.visible_to(request.user).filter(target=target)
        return [
            Table("Catalog", ["What", "How many"], found),
            operations_table(readings, title="Readings", more=list_of(Operation, target=target), max_rows=5),
        ]
