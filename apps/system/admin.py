"""What all pages of the admin site share: read-only unless a permission says more, and services behind every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.system.errors import DomainError
from apps.system.permissions import full_name
from apps.system.redaction import redact

MOST_COUNTED = 10_000
MOST_AT_ONCE = 100
LONGEST_JSON = 100_000


# ── what a page shows ─────────────────────────────────────────────────────────────────────────────────────────────────
def badge(word: str) -> SafeString:
    """Show a state in its colour."""
    return format_html('<span class="badge badge-{}">{}</span>', word, word)


def pretty(value: Any) -> SafeString | str:
    """Show JSON for people, secrets hidden."""
    if value in (None, {}, []):
        return "-"
    text = orjson.dumps(redact(value), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    shown = text if len(text) <= LONGEST_JSON else text[:LONGEST_JSON] + "\n… cut"
    return format_html('<pre class="json">{}</pre>', shown)


def page_of(row: Model) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])


def list_of(model: type[Model], **filters: Any) -> str:
    """Return the address of a model's list, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{'&'.join(f'{name}={value}' for name, value in filters.items())}" if filters else address


def link(row: Model | None, text: Any = None) -> SafeString | str:
    """Show a row as a link to its page."""
    return format_html('<a href="{}">{}</a>', page_of(row), text or row) if row else "-"


@dataclass(frozen=True)
class Table:
    """Rows below a page's fields, for those who hold `permission`.

    Cells may be safe HTML, `more` is the address of the whole list.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: str = ""
    more_text: str = "Show all"
    empty: str = "None."
    permission: str = ""


@dataclass(frozen=True)
class Button:
    """An action of the list, offered on a row's own page too; with a `warning` it asks once more."""

    action: str
    label: str
    warning: str = ""


class BoundedPaginator(Paginator):
    """Pages over rows that are counted up to a bound only, so that a list costs the same at any size."""

    @cached_property
    def count(self) -> int:
        """Count the rows, at most `MOST_COUNTED`."""
        return self.object_list.order_by()[:MOST_COUNTED].count()

    @property
    def is_bounded(self) -> bool:
        """Tell whether there are probably more rows than were counted."""
        return self.count == MOST_COUNTED


class ReadOnlyAdmin(admin.ModelAdmin):
    """Pages for rows that change through operations: seen with `read_permission`, changed by no form.

    Permissions are the documented names. A subclass whose rows may be added or changed by a form names the permission
    for it, and gives a `ServiceForm`; deleting is never offered.
    """

    read_permission = ""
    add_permission = ""
    change_permission = ""
    change_form_template = "admin/page.html"
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Select what the user may see."""
        rows = super().get_queryset(request)
        return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows

    def allows(self, request: HttpRequest, codename: str) -> bool:
        """Tell whether the user holds a documented permission."""
        return bool(codename) and request.user.has_perm(full_name(codename))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to those who may read."""
        return self.allows(request, self.read_permission)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the permission to read."""
        return self.allows(request, self.read_permission)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse, unless a permission to add is named."""
        return self.allows(request, self.add_permission)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse, unless a permission to change is named."""
        return self.allows(request, self.change_permission)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse always."""
        return False

    def tables(self, request: HttpRequest, row: Any) -> list[Table]:
        """Return what stands below the fields of a row's page."""
        return []

    def may_see(self, request: HttpRequest, table: Table) -> bool:
        """Tell whether the user may see a table on a page that the user may see."""
        return not table.permission or self.allows(request, table.permission)

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """Return the actions that a row's page offers; those the user may not take are left out afterwards."""
        return []

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **options: Any
    ) -> HttpResponse:
        """Add tables and buttons to the page."""
        if obj is not None:
            allowed = self.get_actions(request)
            buttons = [button for button in self.buttons(request, obj) if button.action in allowed]
            tables = [table for table in self.tables(request, obj) if self.may_see(request, table)]
            context |= {"tables": tables, "buttons": buttons}
        return super().render_change_form(request, context, *args, obj=obj, **options)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write nothing: the form's service has done it."""

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Take an action, and return to the page whose button was pressed."""
        response = super().response_action(request, queryset)
        page = request.POST.get("page")
        if page and isinstance(response, HttpResponseRedirect):
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[page])
            )
        return response

    def act_on_each(self, request: HttpRequest, rows: QuerySet, act: Callable[[Any], str], *, note: str) -> None:
        """Call a service for each row; what it answers or refuses becomes a message and a line of its history."""
        for row in self.few(request, rows):
            try:
                said = act(row)
            except DomainError as refusal:
                self.message_user(request, f"{self.opts.verbose_name} {row}: {refusal.text}", messages.ERROR)
            else:
                self.log_change(request, row, note)
                self.message_user(request, said, messages.SUCCESS)

    def few(self, request: HttpRequest, rows: QuerySet) -> list[Any]:
        """Return the rows, or none and a message when there are too many for one request."""
        found = list(rows[: MOST_AT_ONCE + 1])
        if len(found) <= MOST_AT_ONCE:
            return found
        self.message_user(request, f"Choose at most {MOST_AT_ONCE} at once; nothing was done.", messages.ERROR)
        return []


class ServiceForm(forms.ModelForm):
    """A form that calls a service once its fields are right; what the service refuses is shown at the field."""

    def act(self) -> Model:
        """Call the service with `cleaned_data` and return the row. May raise DomainError."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        super()._post_clean()
        if self.errors:
            return
        try:
            self.instance = self.act()
        except DomainError as refusal:
            field = next(iter(refusal.details or {}), None)
            self.add_error(field if field in self.fields else None, refusal.text)
