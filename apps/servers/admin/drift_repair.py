"""What the pages of servers and accounts show of drift, and what can be done about it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link
from apps.operations.models import Operation
from apps.providers.admin import register_account_action
from apps.providers.models import CloudAccount
from apps.servers.models import Drift, Server
from apps.servers.services import drift, drift_repair
from apps.system.admin import Button, ReadOnlyAdmin, badge

REPAIRS = ["compare_servers", "adopt_servers", "recreate_servers", "forget_servers"]
Status = Server.Status


class RepairMixin(ReadOnlyAdmin):
    """The part of the servers' pages that is about drift."""

    def has_server_create_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to create servers."""
        return self.allows(request, "server_create")

    @admin.display(description="drift")
    def drift_badge(self, row: Server) -> SafeString | str:
        """Show how the machine differs from what was done here."""
        return badge(row.get_drift_display(), row.drift) if row.drift else "-"

    @admin.action(description="Compare with the cloud", permissions=["server_create"])
    def compare_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue a comparison of each account that the servers are of."""
        ids = {server.account_id for server in self.limited_selection(request, queryset)}
        compare(self, request, CloudAccount.objects.filter(pk__in=ids))

    @admin.action(description="Adopt what the cloud shows", permissions=["server_create"])
    def adopt_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the acceptance of what the cloud shows."""
        self.repair(request, queryset, drift_repair.adopt_server, "Adoption")

    @admin.action(description="Recreate machines that are gone", permissions=["server_create"])
    def recreate_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue new machines."""
        self.repair(request, queryset, drift_repair.recreate_server, "Recreation")

    @admin.action(description="Forget servers whose machines are gone", permissions=["server_delete"])
    def forget_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the proof that the machines are gone, and then the removal of the servers."""
        self.repair(request, queryset, drift_repair.forget_server, "Forgetting")

    def repair(self, request: HttpRequest, queryset: QuerySet, submit: Callable[..., Operation], what: str) -> None:
        """Submit an operation for each server."""

        def act(server: Server) -> SafeString:
            operation = submit(server_id=server.pk, actor=current_user(request))
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, act, note=f"Queued: {what.lower()}.")

    def repair_buttons(self, row: Server) -> list[Button]:
        """Offer what makes sense for a server that has drifted or failed."""
        if not row.drift and row.status != Status.FAILED:
            return []
        adopt = Button("adopt_servers", "Adopt what the cloud shows")
        anew = "A new machine is made, and paid for, once it is proven that there is none; nothing is installed on it."
        row_goes = "The server is removed once it is proven that it has no machine; what was installed goes with it."
        gone = [Button("recreate_servers", "Recreate", anew), Button("forget_servers", "Forget", row_goes)]
        if row.drift == Drift.GONE:
            return gone
        return [adopt, *gone] if row.status == Status.FAILED and not row.drift else [adopt]


@admin.action(description="Compare machines with servers", permissions=["account_change"])
def compare(pages: Any, request: HttpRequest, queryset: QuerySet) -> None:
    """Queue the comparison of accounts."""

    def act(account: CloudAccount) -> SafeString:
        operation = drift.compare_account(account=account, actor=current_user(request))
        return format_html("Queued: {}", operation_link(operation))

    pages.act_on_each(request, queryset, act, note="Queued a comparison.")


register_account_action(compare, Button("compare", "Compare machines with servers"))
