"""Freeze windows in the console."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from apps.system.admin import Button, ReadOnlyAdmin, ServiceForm, ago, badge, link
from apps.workflows.models import FreezeWindow
from apps.workflows.services import freeze

INPUT = {"class": "c-input", "type": "datetime-local"}


class FreezeForm(ServiceForm):
    """A freeze window to be made."""

    starts_at = forms.DateTimeField(
        required=False, label="Starts", widget=forms.DateTimeInput(INPUT), help_text="In UTC; empty: now."
    )
    ends_at = forms.DateTimeField(label="Ends", widget=forms.DateTimeInput(INPUT), help_text="In UTC.")
    actor: Any = None

    class Meta:
        model = FreezeWindow
        fields = ["workspace", "reason", "starts_at", "ends_at"]
        help_texts = {"reason": "Shown at each workflow that it holds, such as: end of year."}

    def _get_validation_exclusions(self) -> set[str]:
        """Leave the order of the times to the service, which names the field; the constraint names none."""
        return super()._get_validation_exclusions() | {"starts_at", "ends_at"}  # type: ignore[misc]

    def act(self) -> FreezeWindow:
        """Create the freeze window."""
        facts = self.cleaned_data | {"workspace": self.cleaned_data["workspace"].name}
        return freeze.create_freeze_window(actor=self.actor, **facts)


@admin.register(FreezeWindow)
class FreezeWindowAdmin(ReadOnlyAdmin):
    """Freeze windows: times in which no workflow of a workspace begins."""

    read_permission = "workflow_read"
    add_permission = "workflow_cancel"
    add_label = "Add a freeze window"
    empty_text = "In a freeze window no workflow of a workspace begins; those that are submitted wait until it ends."
    form = FreezeForm
    list_display = ("reason", "state", "workspace", "starts", "ends", "created_by")
    list_filter = ("workspace",)
    list_select_related = ("workspace", "created_by")
    ordering = ("-starts_at", "id")
    sortable_by = ()
    actions = ["delete_freeze_windows"]

    def get_fields(self, request: HttpRequest, obj: FreezeWindow | None = None) -> tuple[str, ...]:
        """Ask for less than is shown afterwards."""
        if obj is None:
            return ("workspace", "reason", "starts_at", "ends_at")
        return ("place", "reason", "state", "starts", "ends", "creator")

    def get_form(
        self, request: HttpRequest, obj: FreezeWindow | None = None, change: bool = False, **options: Any
    ) -> Any:
        """Tell the form who asks."""
        form = type("FreezeForm", (FreezeForm,), {"actor": request.user})
        return super().get_form(request, obj, change, **options, form=form)

    def has_workflow_cancel_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to remove freeze windows."""
        return self.allows(request, "workflow_cancel")

    @admin.action(description="Delete", permissions=["workflow_cancel"])
    def delete_freeze_windows(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Remove freeze windows."""

        def delete(row: FreezeWindow) -> str:
            freeze.delete_freeze_window(id=row.pk)
            return f"Deleted the freeze window {row}."

        self.act_on_each(request, queryset, delete, note="Deleted.")

    def buttons(self, request: HttpRequest, row: FreezeWindow) -> list[Button]:
        """Offer to delete it."""
        return [Button("delete_freeze_windows", "Delete", "The workflows that it holds begin at once.")]

    @admin.display(description="state")
    def state(self, row: FreezeWindow) -> SafeString:
        """Show whether it holds workflows now."""
        now = timezone.now()
        if row.ends_at <= now:
            return badge("over", "skipped")
        return badge("in effect", "active") if row.starts_at <= now else badge("planned", "pending")

    @admin.display(description="starts")
    def starts(self, row: FreezeWindow) -> SafeString | str:
        """Show when it starts."""
        return ago(row.starts_at)

    @admin.display(description="ends")
    def ends(self, row: FreezeWindow) -> SafeString | str:
        """Show when it ends."""
        return ago(row.ends_at)

    @admin.display(description="workspace")
    def place(self, row: FreezeWindow) -> SafeString | str:
        """Show whose workflows it holds."""
        return link(row.workspace)

    @admin.display(description="created by")
    def creator(self, row: FreezeWindow) -> SafeString | str:
        """Show who created it."""
        return link(row.created_by)
