"""Pages for rows that change through services only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.views import ChangeList

from apps.system.admin.bounded_search import BoundedSearch
from apps.system.admin.change_list import with_cursors
from apps.system.admin.display import current_request, list_of
from apps.system.admin.export import csv_of
from apps.system.admin.paginator import BoundedPaginator
from apps.system.admin.refusals import refusal_text
from apps.system.admin.saved_views import SavedViewsMixin
from apps.system.admin.tables import Button, PageLink, Problem, Table
from apps.system.errors import DomainError
from apps.system.permissions import full_name

MAX_AT_ONCE = 100


class PreparedList(ChangeList):
    """A list whose rows are named and counted for all of them at once."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then what it shows beyond its rows."""
        super().get_results(request)
        rows = list(self.result_list)
        self.model_admin.prepare(rows)
        self.result_list = rows


class ReadOnlyAdmin(SavedViewsMixin, BoundedSearch):
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
    # What the button that makes a row says, and what a list without rows does.
    # `empty_text` says what a list without rows is for; `first_step`, to those who may add a row, how.
    add_label, empty_text, first_step = "", "", ""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Select what the user may see."""
        current_request.set(request)
        rows = super().get_queryset(request)
        return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Let the list go on beyond the rows that are counted."""
        return with_cursors(PreparedList)

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

    @admin.action(description="Export selected rows as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet) -> StreamingHttpResponse:
        """Answer the selected rows, or all that the filters leave, as a file."""
        return csv_of(self, request, queryset)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the export on every list."""
        found = super().get_actions(request)
        if not self.has_view_permission(request):
            return found
        description = "Export selected rows as CSV"
        return {**found, "export_csv": (type(self).export_csv, "export_csv", description)}

    def tables(self, request: HttpRequest, row: Any) -> list[Table]:
        """Return what stands below the fields of a row's page."""
        return []

    def may_see(self, request: HttpRequest, table: Table) -> bool:
        """Tell whether the user may see a table on a page that the user may see."""
        return not table.permission or self.allows(request, table.permission)

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """Return the actions that a row's page offers; those the user may not take are left out afterwards."""
        return []

    def problems(self, request: HttpRequest, row: Any) -> list[Problem]:
        """Return what is wrong with a row, and what to do next; it stands above everything else."""
        return []

    def for_user(self, request: HttpRequest, problem: Problem) -> Problem:
        """Leave out the next step where the user may not take it."""
        may_act = not problem.permission or self.allows(request, problem.permission)
        return problem if may_act else replace(problem, next_step="")

    def is_changing(self, row: Any, problems: Sequence[Problem]) -> bool:
        """Tell whether a row is changing, so that its page reloads: what is under way has the level info."""
        return any(problem.level == "info" for problem in problems)

    def page_links(self, request: HttpRequest, row: Any) -> list[PageLink]:
        """Return buttons that lead to other pages."""
        return []

    def list_links(self, request: HttpRequest) -> list[PageLink]:
        """Return buttons of the list that lead to other pages."""
        return []

    def may_follow(self, request: HttpRequest, link: PageLink) -> bool:
        """Tell whether the user may do what a link leads to."""
        return not link.permission or self.allows(request, link.permission)

    def page_title(self, row: Any) -> str:
        """Return what the tab of a row's page says first."""
        return str(row)

    def prepare(self, rows: Sequence[Any]) -> None:
        """Read what a page of the list shows beyond its rows, for all of them at once."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Title the list by what it lists."""
        links = [link for link in self.list_links(request) if self.may_follow(request, link)]
        context = {"title": capfirst(self.opts.verbose_name_plural), "list_links": links}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        """Title the page like the button that leads to it."""
        return super().add_view(request, form_url, {"title": self.add_label, **(extra_context or {})})

    def absence(self, id: str) -> SafeString | str:
        """Say that there is no row of this id."""
        return f"There is no {self.opts.verbose_name} {id[:80]}. It may have been deleted."

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Say so on the list, or on the dashboard to those who may not see the list."""
        current_request.set(request)
        messages.warning(request, self.absence(unquote(object_id)))
        return HttpResponseRedirect(
            list_of(self.model) if self.has_view_permission(request) else reverse("admin:index")
        )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Title the page like the row's own."""
        current_request.set(request)
        row = self.get_object(request, unquote(object_id)) if self.has_view_permission(request) else None
        title = {"title": f"History of {self.page_title(row)}"} if row else {}
        return super().history_view(request, object_id, {**title, **(extra_context or {})})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Add tables and buttons to the page."""
        if obj is not None:
            allowed = self.get_actions(request)
            buttons = [button for button in self.buttons(request, obj) if button.action in allowed]
            tables = [table for table in self.tables(request, obj) if self.may_see(request, table)]
            links = [link for link in self.page_links(request, obj) if self.may_follow(request, link)]
            context |= {"tables": tables, "buttons": buttons, "page_links": links, "title": self.page_title(obj)}
            problems = [self.for_user(request, problem) for problem in self.problems(request, obj)]
            context |= {"problems": problems, "subtitle": None, "is_row_page": True}
            context |= {"is_changing": self.is_changing(obj, problems)}
            context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write nothing: the form's service has done it."""

    def response_action(self, request: HttpRequest, queryset: QuerySet, *location: Any) -> HttpResponse | None:
        """Take an action, and return to the page whose button was pressed, if its row still exists."""
        response = super().response_action(request, queryset, *location)
        page = request.POST.get("page")
        if page and isinstance(response, HttpResponseRedirect) and self.get_object(request, page) is not None:
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[page])
            )
        return response

    def act_on_each(
        self, request: HttpRequest, rows: QuerySet | list[Any], act: Callable[[Any], str], *, note: str
    ) -> None:
        """Call a service for each row; what it answers or refuses becomes a message and a line of its history."""
        for row in rows if isinstance(rows, list) else self.limited_selection(request, rows):
            try:
                message = act(row)
            except DomainError as refusal:
                self.message_user(request, f"{self.page_title(row)}: {refusal_text(refusal)}", messages.ERROR)
            else:
                self.log_change(request, row, note)
                self.message_user(request, message, messages.SUCCESS)

    def limited_selection(self, request: HttpRequest, rows: QuerySet) -> list[Any]:
        """Return the rows, or none and a message when there are too many for one request."""
        found = list(rows[: MAX_AT_ONCE + 1])
        if len(found) <= MAX_AT_ONCE:
            return found
        self.message_user(request, f"Choose at most {MAX_AT_ONCE} at once; nothing was done.", messages.ERROR)
        return []
