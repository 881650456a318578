"""Uploaded workflow definitions in the console."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.system.admin import Button, PageLink, ReadOnlyAdmin, ServiceForm, ago, link
from apps.workflows.definition import MAX_BYTES
from apps.workflows.definition_schema import NAME
from apps.workflows.models import WorkflowDefinition
from apps.workflows.services.definitions import latest_uploads, retire_definition, upload_definition

BAD_NAME = "Give 1 to 40 lower-case letters, digits and underscores, a letter first."


class DefinitionForm(ServiceForm):
    """A definition to be uploaded."""

    name = forms.RegexField(
        NAME,
        error_messages={"invalid": BAD_NAME},
        widget=forms.TextInput({"class": "c-input"}),
        help_text="The name of the workflow type; uploading a name again stores the next version.",
    )
    text = forms.CharField(
        strip=False,
        max_length=MAX_BYTES,
        widget=forms.Textarea({"class": "c-input c-code", "rows": 30, "spellcheck": "false"}),
        help_text="The definition, as YAML; docs/workflows.md describes the format.",
    )
    actor: Any = None

    class Meta:
        model = WorkflowDefinition
        fields = ["name", "text"]

    def act(self) -> WorkflowDefinition:
        """Store the definition; browsers end lines by two characters."""
        text = self.cleaned_data["text"].replace("\r\n", "\n")
        return upload_definition(name=self.cleaned_data["name"], text=text, actor=self.actor)


@admin.register(WorkflowDefinition)
class WorkflowDefinitionAdmin(ReadOnlyAdmin):
    """Uploaded workflow definitions, all versions of them."""

    read_permission = "workflow_read"
    add_permission = "workflow_cancel"
    add_label = "Upload a definition"
    empty_text = "Workflow types beside those that the service brings along, written as YAML."
    form = DefinitionForm
    list_display = ("name", "version", "is_offered", "uploaded", "uploaded_by")
    list_select_related = ("uploaded_by",)
    search_fields = ("name",)
    search_help_text = "Part of a name"
    ordering = ("name", "-version")
    sortable_by = ()
    actions = ["retire_definitions"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Select them, each with whether it is offered; the text is read for a page of its own only."""
        offered = latest_uploads().filter(pk=OuterRef("pk")).order_by()
        return super().get_queryset(request).defer("text").annotate(offered=Exists(offered))

    def get_fields(self, request: HttpRequest, obj: WorkflowDefinition | None = None) -> tuple[str, ...]:
        """Ask for less than is shown afterwards."""
        return ("name", "text") if obj is None else ("name", "version", "is_offered", "uploaded", "uploader", "lines")

    def get_form(
        self, request: HttpRequest, obj: WorkflowDefinition | None = None, change: bool = False, **options: Any
    ) -> Any:
        """Tell the form who asks."""
        form = type("DefinitionForm", (DefinitionForm,), {"actor": current_user(request)})
        return super().get_form(request, obj, change, **options, form=form)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str]:
        """Begin with the last version of the type that is named, if any."""
        last = WorkflowDefinition.objects.filter(name=request.GET.get("name", "")).order_by("-version").first()
        return {"name": last.name, "text": last.text} if last else {}

    def page_links(self, request: HttpRequest, row: WorkflowDefinition) -> list[PageLink]:
        """Lead to the form with the last version, and to the one that submits the workflow."""
        upload = f"{reverse('admin:workflows_workflowdefinition_add')}?{urlencode({'name': row.name})}"
        found = [PageLink("New version", upload, "workflow_cancel")]
        if self.is_offered(row):
            run = f"{reverse('admin:workflows_workflow_add')}?{urlencode({'type': row.name})}"
            found.append(PageLink("Run…", run, "workflow_submit"))
        return found

    def has_workflow_cancel_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to upload and retire definitions."""
        return self.allows(request, "workflow_cancel")

    @admin.action(description="Retire", permissions=["workflow_cancel"])
    def retire_definitions(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Let the types be submitted no more."""

        def retire(row: WorkflowDefinition) -> str:
            retire_definition(name=row.name)
            return f"Retired {row.name}: it cannot be run any more."

        self.act_on_each(request, queryset, retire, note="Retired.")

    def buttons(self, request: HttpRequest, row: WorkflowDefinition) -> list[Button]:
        """Offer to retire a type that is offered."""
        warning = "It can no longer be run; workflows under way go on."
        return [Button("retire_definitions", "Retire", warning)] if self.is_offered(row) else []

    @admin.display(description="offered", boolean=True)
    def is_offered(self, row: WorkflowDefinition) -> bool:
        """Tell whether it is what a workflow of this type would run."""
        return bool(getattr(row, "offered", False))

    @admin.display(description="uploaded")
    def uploaded(self, row: WorkflowDefinition) -> SafeString | str:
        """Show when it was uploaded."""
        return ago(row.created_at)

    @admin.display(description="uploaded by")
    def uploader(self, row: WorkflowDefinition) -> SafeString | str:
        """Show who uploaded it."""
        return link(row.uploaded_by)

    @admin.display(description="text")
    def lines(self, row: WorkflowDefinition) -> SafeString:
        """Show the definition as it was uploaded."""
        return format_html('<span class="c-text c-code">{}</span>', row.text)
