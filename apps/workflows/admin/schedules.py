"""Schedules in the console: create, change, pause, unpause, run now and delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms.models import model_to_dict
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link
from apps.system.admin import (
    Button,
    PageLink,
    ReadOnlyAdmin,
    Table,
    ago,
    badge,
    current_request,
    facts,
    linked,
    page_of,
)
from apps.system.admin.forms import NamesChoices
from apps.system.admin.refusals import detail_texts, refusal_text
from apps.system.admin.schema_form import INPUT, SchemaForm
from apps.system.errors import DomainError
from apps.workflows.admin.actions import is_possible
from apps.workflows.admin.submit import cards, form_of, secret_parameters
from apps.workflows.admin.titles import TypeTitles
from apps.workflows.cron import in_words
from apps.workflows.definition import Definition
from apps.workflows.models import Schedule
from apps.workflows.services import schedules
from apps.workflows.services.definitions import all_definitions
from apps.workspaces.models import Workspace

OVERLAPS = [("skip", "Leave this time out"), ("queue", "Submit it too")]


class TimesForm(NamesChoices, forms.Form):
    """When a workflow is submitted."""

    name = forms.CharField(max_length=64, widget=forms.TextInput(INPUT))
    cron = forms.CharField(
        max_length=128,
        widget=forms.TextInput(INPUT),
        label="Times (cron)",
        help_text="Minute, hour, day of month, month and weekday: 30 2 * * 1-5 is half past two from Monday to Friday.",
    )
    time_zone = forms.CharField(
        max_length=64, initial="UTC", widget=forms.TextInput(INPUT), help_text="Such as Europe/Berlin."
    )
    overlap = forms.ChoiceField(
        choices=OVERLAPS,
        widget=forms.Select(INPUT),
        label="If the workflow before has not ended",
    )


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """Schedules; who creates or changes one is in whose name its workflows are submitted."""

    read_permission = "workflow_read"
    add_permission = "workflow_submit"
    add_label = "Schedule a workflow"
    empty_text = "A schedule submits a workflow at the times of a cron expression, such as each night at half past two."
    list_display = ("name", "workflow", "workspace", "times", "time_zone", "state", "next_time", "last_time")
    list_filter = ("paused", "workspace")
    list_select_related = ("workspace",)
    sortable_by = ()
    actions = ["pause_schedules", "unpause_schedules", "run_schedules", "delete_schedules"]
    fieldsets = [
        ("", {"fields": ["name", "workflow", linked("workspace"), "state", linked("actor", "owner")]}),
        ("Times", {"fields": ["times", "time_zone", "overlap_text", "last_time", "last"]}),
        ("Parameters", {"fields": ["parameter_facts"]}),
    ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the types of workflow, then the form of the one that was chosen."""
        current_request.set(request)
        if not self.has_add_permission(request):
            raise PermissionDenied
        names = list(Workspace.objects.order_by("-active", "name").values_list("name", flat=True))
        chosen = request.POST.get("workspace") or request.GET.get("workspace") or next(iter(names), "")
        found = all_definitions(Workspace.objects.filter(name=chosen).first())
        known = {name: each.definition for name, each in found.items()}
        type_ = request.GET.get("type", "")
        if not type_:
            return self.page(request, "types", "Schedule a workflow", categories=[("Types", cards(known, chosen))])
        if type_ not in known:
            raise Http404
        times, form = TimesForm(request.POST or None), form_of(known[type_], request, present={})
        problems: list[str] = []
        if request.method == "POST" and times.is_valid() and form.is_valid():
            given = {**times.cleaned_data, "workspace": chosen, "workflow_type": type_, "parameters": form.given()}
            try:
                made = schedules.create_schedule(actor=current_user(request), **given)
            except DomainError as refusal:
                problems = show_refusal(refusal, times)
            else:
                self.log_addition(request, made, "Created.")
                return HttpResponseRedirect(page_of(made))
        about = {"definition": known[type_], "times": times, "form": form, "workspaces": names, "workspace": chosen}
        title, verb = f"Schedule: {known[type_].title}", "Create the schedule"
        return self.page(request, "schedule", title, verb=verb, problems=problems, **about)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that changes one."""
        view = self.admin_site.admin_view(self.edit_view)
        return [path("<str:id>/edit/", view, name="workflows_schedule_edit"), *super().get_urls()]

    def edit_view(self, request: HttpRequest, id: str) -> HttpResponse:
        """Change times and parameters; secrets stay as they are where nothing is typed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        row = self.get_object(request, id)
        if row is None:
            raise Http404
        if not self.may_change(request, row):
            raise PermissionDenied
        found = all_definitions(row.workspace).get(row.workflow_type)
        definition = found.definition if found else None
        times = TimesForm(request.POST or None, initial=model_to_dict(row, TimesForm.base_fields))
        form = form_of(definition, request, present=row.parameters) if definition else forms.Form(request.POST or None)
        problems: list[str] = []
        if request.method == "POST" and times.is_valid() and form.is_valid():
            given = {
                **times.cleaned_data,
                **({"parameters": changed(row, definition, form)} if isinstance(form, SchemaForm) else {}),
            }
            try:
                schedules.change_schedule(id=row.pk, actor=current_user(request), **given)
            except DomainError as refusal:
                problems = show_refusal(refusal, times)
            else:
                self.log_change(request, row, "Changed.")
                self.message_user(request, f"Changed {times.cleaned_data['name']}.", messages.SUCCESS)
                return HttpResponseRedirect(page_of(row))
        about = {"definition": definition, "times": times, "form": form, "verb": "Save"}
        return self.page(request, "schedule", f"Change {row}", problems=problems, **about)

    def may_change(self, request: HttpRequest, row: Schedule) -> bool:
        """Tell whether the user may change, pause and delete it."""
        return is_possible(lambda schedule: schedules.check_owner(schedule, current_user(request)), row)

    def page_links(self, request: HttpRequest, row: Schedule) -> list[PageLink]:
        """Lead to the form that changes it."""
        if not self.may_change(request, row):
            return []
        return [PageLink("Change", reverse("admin:workflows_schedule_edit", args=[row.pk]), "workflow_submit", True)]

    def prepare(self, rows: Sequence[Schedule]) -> None:
        """Name their types."""
        titles = TypeTitles()
        for row in rows:
            row.type_title = titles.of(row.workflow_type, row.workspace)  # type: ignore[attr-defined]

    @admin.display(description="workflow")
    def workflow(self, row: Schedule) -> str:
        """Show the title of the type."""
        return row.type_title if hasattr(row, "type_title") else TypeTitles().of(row.workflow_type, row.workspace)

    def page(self, request: HttpRequest, template: str, title: str, **more: Any) -> TemplateResponse:
        """Show a page of these."""
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/workflows/{template}.html", context | more)

    def has_workflow_submit_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to submit workflows."""
        return self.allows(request, "workflow_submit")

    @admin.action(description="Pause", permissions=["workflow_submit"])
    def pause_schedules(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Let no time of them come."""
        self.change(request, queryset, "Paused", paused=True)

    @admin.action(description="Unpause", permissions=["workflow_submit"])
    def unpause_schedules(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Let their times come again."""
        self.change(request, queryset, "Unpaused", paused=False)

    def change(self, request: HttpRequest, queryset: QuerySet, word: str, *, paused: bool) -> None:
        """Change each through its service."""

        def act(row: Schedule) -> str:
            schedules.change_schedule(id=row.pk, actor=current_user(request), paused=paused)
            return f"{word} {row}."

        self.act_on_each(request, queryset, act, note=f"{word}.")

    @admin.action(description="Run now", permissions=["workflow_submit"])
    def run_schedules(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Submit their workflows now, besides their times."""

        def act(row: Schedule) -> SafeString:
            operation = schedules.run_now(id=row.pk, actor=current_user(request))
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, act, note="Run now.")

    @admin.action(description="Delete", permissions=["workflow_submit"])
    def delete_schedules(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Delete them; workflows under way go on."""

        def act(row: Schedule) -> str:
            schedules.delete_schedule(id=row.pk, actor=current_user(request))
            return f"Deleted the schedule {row}."

        self.act_on_each(request, queryset, act, note="Deleted.")

    def buttons(self, request: HttpRequest, row: Schedule) -> list[Button]:
        """Offer what can be done with it, to those who may."""
        besides = "Its workflow is submitted at once, besides its times."
        run = Button("run_schedules", "Run now", besides, is_safe=True)
        if not self.may_change(request, row):
            return [run]
        switch = Button("unpause_schedules", "Unpause") if row.paused else Button("pause_schedules", "Pause")
        return [
            run,
            switch,
            Button("delete_schedules", "Delete", "Workflows under way go on."),
        ]

    def tables(self, request: HttpRequest, row: Schedule) -> list[Table]:
        """Show the next times, as the clocks of its time zone do and in UTC."""
        form = "%Y-%m-%d %H:%M"
        coming = schedules.coming(row)
        columns = ["From now", f"At ({row.time_zone})"]
        times = [[ago(moment), moment.strftime(form)] for moment in coming]
        if row.time_zone != "UTC":
            columns.append("UTC")
            times = [
                [ago(moment), moment.strftime(f"{form} %z"), moment.astimezone(UTC).strftime(form)] for moment in coming
            ]
        empty = "None while it is paused." if row.paused else "None."
        return [Table("Next times", columns, times, empty=empty)]

    @admin.display(description="state")
    def state(self, row: Schedule) -> SafeString:
        """Show whether it is paused."""
        return badge("paused", "stopped") if row.paused else badge("active")

    @admin.display(description="times")
    def times(self, row: Schedule) -> SafeString | str:
        """Show them in words, and as the cron expression."""
        code = format_html('<code class="c-code c-soft">{}</code>', row.cron)
        words = in_words(row.cron)
        return format_html("{} <br>{}", words, code) if words else code

    @admin.display(description="if the workflow before has not ended")
    def overlap_text(self, row: Schedule) -> str:
        """Show what happens then."""
        return dict(OVERLAPS)[row.overlap].lower()

    @admin.display(description="next")
    def next_time(self, row: Schedule) -> SafeString | str:
        """Show the next time."""
        return ago(row.next_at)

    @admin.display(description="last")
    def last_time(self, row: Schedule) -> SafeString | str:
        """Show when its workflow was submitted last."""
        return ago(row.last_at, empty="never")

    @admin.display(description="last workflow")
    def last(self, row: Schedule) -> SafeString | str:
        """Show the workflow that was submitted last."""
        return operation_link(row.last_workflow) if row.last_workflow else "-"

    @admin.display(description="parameters")
    def parameter_facts(self, row: Schedule) -> SafeString | str:
        """Show what the workflow is given."""
        return facts(schedules.shown_parameters(row))


def changed(schedule: Schedule, definition: Definition | None, form: SchemaForm) -> dict[str, Any]:
    """Return the parameters as the form has them, with the secrets that nothing was typed for."""
    schema = definition.parameters if definition else {}
    return {**secret_parameters(schema, schedule.parameters), **form.given()}


def show_refusal(refusal: DomainError, form: forms.Form) -> list[str]:
    """Show a refusal at its field of the form; return what belongs to none."""
    details = refusal.details or {}
    for name in details.keys() & form.fields.keys():
        form.add_error(name, refusal_text(refusal))
    others = [text for name, text in detail_texts(refusal) if name not in form.fields]
    return others if details else [refusal_text(refusal)]
