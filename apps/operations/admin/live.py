"""What the page of an operation reads while it is open: its state, and lines of its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path

from apps.operations.admin.log import log_end, log_file, log_fragment
from apps.operations.admin.parts import result_view, status_badge, took
from apps.operations.admin.waits import wait_line
from apps.operations.models import ENDED, Operation
from apps.system.admin.display import current_request

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object


class LiveMixin(Base):
    """The addresses below an operation's page, for those who may read operations."""

    def get_urls(self) -> list[URLPattern]:
        """Add them in front of the page itself, whose address takes any path."""
        views = {"status": self.status_view, "log": self.log_view, "log.txt": self.file_view}
        own = [
            path(f"<uuid:id>/{name}", self.admin_site.admin_view(view), name=f"operations_operation_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def readable(self, request: HttpRequest, id: UUID) -> Operation:
        """Return an operation that the user may read. Raises PermissionDenied, Http404."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        current_request.set(request)
        operation = Operation.objects.visible_to(request.user).filter(pk=id).first()
        if operation is None:
            raise Http404
        return operation

    def status_view(self, request: HttpRequest, id: UUID) -> HttpResponse:
        """Answer the head of the page as it is now."""
        operation = self.readable(request, id)
        return render(request, "admin/operations/status.html", status_of(operation))

    def log_view(self, request: HttpRequest, id: UUID) -> HttpResponse:
        """Answer lines of the log."""
        return log_fragment(self.readable(request, id), request)

    def file_view(self, request: HttpRequest, id: UUID) -> HttpResponseBase:
        """Answer the log as a file."""
        return log_file(self.readable(request, id))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """Add the state and the end of the log."""
        operation = options.get("obj") or context.get("original")
        if operation is not None:
            context |= status_of(operation) | {"log": log_end(operation)}
            context["result_view"] = result_view(operation)
        return super().render_change_form(request, context, *args, **options)


def status_of(operation: Operation) -> dict[str, Any]:
    """Return what the head of the page shows."""
    done, total = progress_of(operation)
    return {
        "operation": operation,
        "state": status_badge(operation),
        "took": took(operation),
        "waiting": wait_line(operation),
        "done": done,
        "total": total,
    }


def progress_of(operation: Operation) -> tuple[int, int]:
    """Return how many of its steps are done, and how many there are; 0 of 0 where it has none."""
    states = list(operation.children.values_list("status", flat=True)[:1000])
    return sum(state in ENDED for state in states), len(states)
