"""Checking a change of a taskserv on its form, with the answer below it, and then doing exactly what was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.accounts.current_user import current_user
from apps.operations.admin import error_of, message_of, operation_link
from apps.operations.models import Operation
from apps.system.admin import current_request, page_of
from apps.system.admin.refusals import detail_texts, refusal_text
from apps.system.admin.schema_form import SchemaForm, pattern_text
from apps.system.errors import DomainError
from apps.taskservs.admin.check_results import CHECKED, changes_of
from apps.taskservs.errors import UnknownCheck
from apps.taskservs.services.checked import do_as_checked

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object


class CheckedMixin(Base):
    """The forms whose change can be checked first."""

    def get_urls(self) -> list[URLPattern]:
        """Add what such a form reads while its check is under way."""
        view = self.admin_site.admin_view(self.check_view)
        return [path("check/<uuid:id>/", view, name="taskservs_taskserv_check"), *super().get_urls()]

    def refuse_without(self, request: HttpRequest, *permissions: str) -> None:
        """Let nobody in who holds none of the permissions. Raises PermissionDenied."""
        current_request.set(request)
        if not any(self.allows(request, permission) for permission in permissions):
            raise PermissionDenied

    def answer(
        self, request: HttpRequest, form: SchemaForm, shown: dict[str, Any], act: Callable[[bool], Operation]
    ) -> HttpResponse | None:
        """Check or do what a form says, by `act`, which is told whether it only checks.

        Returns the way to the operation; None where the form is shown again, with what `shown` then holds.
        """
        if request.method != "POST" or not form.is_valid():
            return None
        try:
            if "check" in request.POST:
                check = act(True)
                shown["check"] = check
                shown["check_address"] = reverse("admin:taskservs_taskserv_check", args=[check.pk])
                return None
            given = request.POST.get("checked", "")
            if given:
                operation = do_as_checked(lambda: act(False), check=check_id(given), actor=current_user(request))
            else:
                operation = act(False)
        except DomainError as refusal:
            shown["problems"] = add_errors(refusal, form)
            return None
        return HttpResponseRedirect(page_of(operation))

    def check_view(self, request: HttpRequest, id: UUID) -> HttpResponse:
        """Answer what a check has come to so far, in words."""
        self.refuse_without(request, "taskserv_create", "taskserv_delete")
        checks = Operation.objects.visible_to(request.user).filter(kind__in=CHECKED, check_mode=True)
        check = checks.filter(pk=id).first()
        if check is None:
            raise Http404
        context = {
            "waiting": check.due_at is not None,
            "says": message_of(check),
            "error": error_of(check),
            "status": check.status,
            "changes": changes_of(check),
            "link": operation_link(check),
        }
        return TemplateResponse(request, "admin/taskservs/check.html", context)


def check_id(given: str) -> UUID:
    """Return the id of a check as a form names it. Raises UnknownCheck."""
    try:
        return UUID(given)
    except ValueError:
        raise UnknownCheck from None


def add_errors(refusal: DomainError, form: SchemaForm) -> list[str]:
    """Add the errors of a refusal to the fields of the form; return those that belong to no field."""
    rest = []
    for field, text in detail_texts(refusal):
        key = field.removeprefix("config.")
        if key in form.fields:
            allowed = pattern_text(text) if "pattern" in text else ""
            form.add_error(key, f"Give {allowed}." if allowed else text[:1].upper() + text[1:])
        else:
            rest.append(text)
    return rest or ([] if form.errors else [refusal_text(refusal)])
