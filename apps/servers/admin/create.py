"""Creating servers from the console: a form whose lists follow each other, a check in words, then the creation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from apps.accounts.current_user import current_user
from apps.operations.admin import error_of, message_of, operation_link
from apps.operations.models import Operation
from apps.providers.admin.prices import money
from apps.providers.registry import title_of
from apps.servers.admin.create_form import CreateForm, offer_of
from apps.servers.models import Server
from apps.servers.services import create_server
from apps.system.admin import current_request, list_of, page_of
from apps.system.admin.refusals import refusal_text
from apps.system.errors import DomainError

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object


class CreateMixin(Base):
    """The page that creates servers, at the list's address for adding."""

    add_permission = "server_create"

    def get_urls(self) -> list[URLPattern]:
        """Add what the form reads while it is filled in."""
        views = {"add/offer/": self.offer_view, "add/checks/": self.checks_view}
        own = [
            path(address, self.admin_site.admin_view(view), name=f"servers_server_{address.split('/')[1]}")
            for address, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def refuse_readers(self, request: HttpRequest) -> None:
        """Let nobody in who may not create servers. Raises PermissionDenied."""
        current_request.set(request)
        if not self.has_add_permission(request):
            raise PermissionDenied

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the form, check what it says, or do it."""
        self.refuse_readers(request)
        if request.method != "POST":
            return self.form_page(
                request, CreateForm(initial=request.GET.dict() | {"tags": request.GET.get("tags", "")})
            )
        form = CreateForm(request.POST)
        if not form.is_valid():
            return self.form_page(request, form)
        check = "check" in request.POST
        done = self.submit_each(request, form, check=check)
        if check and done:
            return self.form_page(request, form, checks=done)
        if not done:
            return self.form_page(request, form)
        return HttpResponseRedirect(page_of(done[0]) if len(done) == 1 else list_of(Server))

    def submit_each(self, request: HttpRequest, form: CreateForm, *, check: bool) -> list[Operation]:
        """Call the service for each name, and show the result of each."""
        done = []
        for hostname, values in form.orders():
            try:
                operation = create_server(actor=current_user(request), check_mode=check, **values)
            except DomainError as refusal:
                field = next(iter(refusal.details or {}), None)
                form.add_error(field if field in form.fields else None, f"{hostname}: {refusal_text(refusal)}")
                continue
            done.append(operation)
            if not check:
                messages.success(request, format_html("Queued: {}", operation_link(operation)))
        if form.errors and done and not check:
            for problems in form.errors.values():
                messages.error(request, " ".join(str(problem) for problem in problems))
        return done

    def form_page(
        self, request: HttpRequest, form: CreateForm, checks: list[Operation] | None = None
    ) -> TemplateResponse:
        """Show the form, and what a check says below it."""
        query = QueryDict(mutable=True)
        query.setlist("id", [str(operation.pk) for operation in checks or []])
        context = {
            **self.admin_site.each_context(request),
            "title": "Create servers",
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "offer_address": reverse("admin:servers_server_offer"),
            "checks_address": f"{reverse('admin:servers_server_checks')}?{query.urlencode()}" if checks else "",
            "is_fullwidth": "",
        }
        return TemplateResponse(request, "admin/servers/create.html", context)

    def offer_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the providers of a workspace, or the plans, zones and images of one provider there."""
        self.refuse_readers(request)
        return JsonResponse(offer_of(request.GET.get("workspace", ""), request.GET.get("provider", "")))

    def checks_view(self, request: HttpRequest) -> HttpResponse:
        """Answer what the checks have come to so far, in words."""
        self.refuse_readers(request)
        ids = [id for id in request.GET.getlist("id")[:100] if is_uuid(id)]
        rows = Operation.objects.visible_to(request.user).filter(pk__in=ids, check_mode=True).order_by("created_at")
        found = [check_of(row) for row in rows]
        context = {"checks": found, "total": total_of(found), "waiting": any(check["waiting"] for check in found)}
        return TemplateResponse(request, "admin/servers/checks.html", context)


def is_uuid(text: str) -> bool:
    """Tell whether a text is an id of an operation."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def check_of(operation: Operation) -> dict[str, Any]:
    """Return what one check says."""
    requested = operation.params["wanted"]
    price = (operation.result or {}).get("price")
    return {
        "hostname": requested["hostname"],
        "plan": requested["plan"],
        "provider": title_of(requested["provider"]),
        "zone": requested["zone"],
        "workspace": operation.workspace.name if operation.workspace else "",
        "waiting": operation.due_at is not None,
        "says": message_of(operation),
        "error": error_of(operation),
        "price": money(price),
        "monthly": (float(price["monthly"]), price["currency"]) if price else None,
        "link": operation_link(operation),
    }


def total_of(checks: list[dict[str, Any]]) -> str:
    """Add up what the checked servers would cost a month."""
    sums: dict[str, float] = {}
    for check in checks:
        if check["monthly"]:
            amount, currency = check["monthly"]
            sums[currency] = sums.get(currency, 0) + amount
    return " + ".join(f"{amount:,.2f} {currency}" for currency, amount in sums.items())
