"""Submitting workflows from the console: types as cards, a form from the parameters' schema, a preview in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from apps.accounts.current_user import current_user
from apps.operations.admin import RerunForm, register_rerun_form
from apps.operations.models import Operation
from apps.system.admin import current_request
from apps.system.admin.refusals import detail_texts, refusal_text
from apps.system.admin.schema_form import SchemaForm
from apps.system.errors import DomainError
from apps.workflows import services
from apps.workflows.admin.previews import preview_of
from apps.workflows.definition import RUN, Definition
from apps.workflows.models import Workflow
from apps.workflows.secrets import Secrets, is_secret
from apps.workflows.services.definitions import all_definitions
from apps.workflows.services.graphs import svg_of_definition
from apps.workflows.services.pinned_definition import secrets_of
from apps.workspaces.models import Workspace

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object


class SubmitMixin(Base):
    """The page that submits a workflow, at the list's address for adding."""

    add_permission = "workflow_submit"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the types, or the form of the one that was chosen."""
        current_request.set(request)
        if not self.has_add_permission(request):
            raise PermissionDenied
        names = list(Workspace.objects.order_by("-active", "name").values_list("name", flat=True))
        chosen = request.POST.get("workspace") or request.GET.get("workspace") or next(iter(names), "")
        known = all_definitions(Workspace.objects.filter(name=chosen).first())
        type_ = request.GET.get("type", "")
        if not type_:
            categories = [("Types", cards({name: found.definition for name, found in known.items()}, chosen))]
            return self.page(request, "types", "Run a workflow", categories=categories)
        if type_ not in known:
            raise Http404
        definition, before = known[type_].definition, self.run_before(request, type_)
        form = form_of(definition, request, open_parameters(definition, before) if before else None)
        shown: dict[str, Any] = {"problems": [], "preview": None}
        if request.method == "POST" and form.is_valid():
            answer = self.submit(request, form, shown, workspace=chosen, type_=type_)
            if answer:
                return answer
        about = {"definition": definition, "form": form, "workspaces": names, "workspace": chosen, "before": before}
        return self.page(request, "submit", definition.title, picture=picture_of(definition), **about, **shown)

    def run_before(self, request: HttpRequest, type_: str) -> Workflow | None:
        """Return the workflow whose values the form is to have, None where it is to have none. Raises Http404."""
        given = request.GET.get("again", "")
        if not given:
            return None
        try:
            return Workflow.objects.visible_to(request.user).select_related("operation").get(pk=UUID(given), type=type_)
        except (ValueError, Workflow.DoesNotExist):
            raise Http404 from None

    def submit(
        self, request: HttpRequest, form: SchemaForm, shown: dict[str, Any], *, workspace: str, type_: str
    ) -> HttpResponse | None:
        """Preview or submit; with the digest of a preview, exactly that is run or refused."""
        check = "check" in request.POST
        try:
            operation = services.submit_workflow(
                workspace=workspace,
                actor=current_user(request),
                workflow_type=type_,
                parameters=form.given(),
                check_mode=check,
                digest="" if check else request.POST.get("digest", ""),
            )
        except DomainError as refusal:
            shown["problems"] = [text for _, text in detail_texts(refusal)] or [refusal_text(refusal)]
            return None
        if not check:
            return HttpResponseRedirect(reverse("admin:workflows_workflow_change", args=[operation.pk]))
        shown["preview"] = preview_of(operation)
        return None

    def page(self, request: HttpRequest, template: str, title: str, **more: Any) -> TemplateResponse:
        """Show a page of these."""
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/workflows/{template}.html", context | more)


def form_of(definition: Definition, request: HttpRequest, present: Mapping[str, Any] | None = None) -> SchemaForm:
    """Return the form of a type's parameters.

    Where some are `present`, the form shows them, except for secrets: those are typed unseen, and may be left empty.
    """
    schema = definition.parameters
    kept = secret_parameters(schema, present or {})
    properties = {
        name: {**rule, "secret": True} if name in kept or (present is not None and is_secret(name, rule)) else rule
        for name, rule in schema.get("properties", {}).items()
        if isinstance(rule, dict)
    }
    required = [name for name in schema.get("required", []) if name not in kept]
    return SchemaForm(
        request.POST or None,
        properties=properties,
        required=required,
        present=present,
        prefix="parameter",
        suggests=True,
    )


def open_parameters(definition: Definition, workflow: Workflow) -> dict[str, Any]:
    """Return the parameters of a workflow that hold nothing secret, by its own definition and by the present one."""
    given = workflow.parameters
    shown, secret = (
        secrets_of(workflow.pk).hide_parameters(given) or {},
        secret_parameters(definition.parameters, given),
    )
    return {name: value for name, value in given.items() if shown[name] == value and name not in secret}


def again_address(operation: Operation) -> str:
    """Return the address of the form that runs an ended workflow again; empty for one that cannot be, or is a part."""
    if operation.due_at is not None or operation.parent_id is not None:
        return ""
    workflow = Workflow.objects.filter(pk=operation.pk).first()
    if workflow is None or workflow.type not in all_definitions(operation.workspace):
        return ""
    place = operation.workspace.name if operation.workspace else ""
    query = urlencode({"type": workflow.type, "workspace": place, "again": operation.pk})
    return f"{reverse('admin:workflows_workflow_add')}?{query}"


def secret_parameters(schema: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that hold anything secret."""
    shown = Secrets(schema, parameters).hide_parameters(parameters) or {}
    return {name: value for name, value in parameters.items() if shown[name] != value}


def picture_of(definition: Definition) -> SafeString | str:
    """Draw the steps of a type; nothing where that is not possible."""
    try:
        return as_html(svg_of_definition(definition))
    except DomainError:
        return ""


def as_html(svg: bytes) -> SafeString:
    """Return a picture for a page: Graphviz has escaped the texts in it."""
    return mark_safe(svg.decode())  # noqa: S308 - made by a program of ours, of labels that it escapes


def cards(known: dict[str, Definition], workspace: str) -> list[dict[str, str]]:
    """Return the types to choose from."""
    return [
        {
            "title": definition.title,
            "description": definition.description,
            "more": f"{len(definition.steps)} step{'' if len(definition.steps) == 1 else 's'}",
            "address": f"?{urlencode({'type': name, 'workspace': workspace})}",
            "text": f"{name} {definition.title} {definition.description}".lower(),
        }
        for name, definition in sorted(known.items(), key=lambda each: each[1].title)
    ]


register_rerun_form(RUN, RerunForm(permission="workflow_submit", address=again_address))
