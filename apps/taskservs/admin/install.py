"""Installing taskservs and changing their configuration: the catalog as cards, and forms from its schemas."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from apps.accounts.current_user import current_user
from apps.operations.models import Operation
from apps.servers.models import Server
from apps.system.admin import page_of
from apps.system.admin.schema_form import SchemaForm, register_suggestions
from apps.system.errors import Invalid
from apps.taskservs.admin.checked import CheckedMixin
from apps.taskservs.admin.names import full_name
from apps.taskservs.catalog_definition import Definition
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.models import Taskserv
from apps.taskservs.services import configure, create, delete, upgrade
from apps.workspaces.models import Workspace

MAX_SERVERS = 500
PURGE = {
    "type": "boolean",
    "description": "Its data, logs and settings stay on the servers unless you choose this. It cannot be taken back.",
}


def known_taskservs() -> list[tuple[str, str]]:
    """Return the taskservs of the catalog, each with its title."""
    return [(name, definition.title) for name, definition in sorted(load_catalog().items())]


register_suggestions("taskserv", known_taskservs)


class InstallMixin(CheckedMixin):
    """The pages that install a taskserv, configure, upgrade and remove one."""

    add_permission = "taskserv_create"

    def get_urls(self) -> list[URLPattern]:
        """Add the pages that change one."""
        views = {"configure": self.configure_view, "upgrade": self.upgrade_view, "remove": self.remove_view}
        own = [
            path(f"<str:id>/{name}/", self.admin_site.admin_view(view), name=f"taskservs_taskserv_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the catalog, or the form of the taskserv that was chosen."""
        self.refuse_without(request, self.add_permission)
        names = list(Workspace.objects.order_by("-active", "name").values_list("name", flat=True))
        chosen = request.POST.get("workspace") or request.GET.get("workspace") or next(iter(names), "")
        place = Workspace.objects.filter(name=chosen).first()
        catalog = load_catalog(place.path if place else "")
        name = request.GET.get("name", "")
        if not name:
            return self.page(request, "catalog", "Install a taskserv", categories=cards(catalog, request))
        if name not in catalog:
            raise Http404
        definition = catalog[name]
        version = definition.config_schema["properties"]["version"]
        form = SchemaForm(request.POST or None, properties={"version": version, **definition.options})
        servers = request.POST.getlist("servers") or request.GET.getlist("servers")
        shown: dict[str, Any] = {"workspaces": names, "workspace": chosen}

        def install(check: bool) -> Operation:
            if not servers:
                raise Invalid("Choose at least one server.")
            return create.create_taskserv(
                workspace=chosen,
                actor=current_user(request),
                name=name,
                servers=servers,
                config=form.given(),
                check_mode=check,
            )

        return self.answer(request, form, shown, install) or self.form_page(
            request,
            definition,
            form,
            f"Install {definition.title}",
            "Install",
            servers=running_in(place),
            chosen=servers,
            **shown,
        )

    def found(self, request: HttpRequest, id: str, permission: str = "taskserv_create") -> tuple[Taskserv, Definition]:
        """Return a taskserv and its entry of the catalog. Raises PermissionDenied, Http404."""
        self.refuse_without(request, permission)
        taskserv = Taskserv.objects.visible_to(request.user).select_related("workspace").filter(pk=id).first()
        definition = load_catalog(taskserv.workspace.path).get(taskserv.name) if taskserv else None
        if taskserv is None or definition is None:
            raise Http404
        return taskserv, definition

    def configure_view(self, request: HttpRequest, id: str) -> HttpResponse:
        """Change options, and the servers that it is on."""
        taskserv, definition = self.found(request, id)
        present = {**definition.complete(taskserv.config), **taskserv.config}
        changeable = {key: option for key, option in definition.options.items() if key not in definition.fixed}
        form = SchemaForm(request.POST or None, properties=changeable, present=present)
        there = list(taskserv.servers.order_by("installations__position").values_list("hostname", flat=True))
        servers = request.POST.getlist("servers") or there
        shown: dict[str, Any] = {"workspaces": [], "workspace": taskserv.workspace.name}

        def change(check: bool) -> Operation:
            others = servers if set(servers) != set(there) else None
            return self.configure(request, taskserv, form, present, others, check=check)

        return self.answer(request, form, shown, change) or self.form_page(
            request,
            definition,
            form,
            f"Configure {full_name(taskserv)}",
            "Apply",
            servers=running_in(taskserv.workspace),
            chosen=servers,
            back=page_of(taskserv),
            **shown,
        )

    def upgrade_view(self, request: HttpRequest, id: str) -> HttpResponse:
        """Install a newer version."""
        taskserv, definition = self.found(request, id)
        newer = versions_above(taskserv.version, definition)
        if not newer:
            self.message_user(request, f"{full_name(taskserv)} has the newest version.")
            return HttpResponseRedirect(page_of(taskserv))
        about = f"It has {taskserv.version}. One server after the other is upgraded, the primary last."
        version = {"enum": newer, "default": newer[-1], "description": about}
        form = SchemaForm(request.POST or None, properties={"version": version}, required=["version"])
        shown: dict[str, Any] = {"workspaces": [], "workspace": taskserv.workspace.name}

        def change(check: bool) -> Operation:
            return upgrade.upgrade_taskserv(
                taskserv_id=taskserv.pk,
                actor=current_user(request),
                version=form.cleaned_data["version"],
                check_mode=check,
            )

        return self.answer(request, form, shown, change) or self.form_page(
            request,
            definition,
            form,
            f"Upgrade {full_name(taskserv)}",
            "Upgrade",
            servers=None,
            back=page_of(taskserv),
            **shown,
        )

    def remove_view(self, request: HttpRequest, id: str) -> HttpResponse:
        """Remove it, after a question and perhaps a check."""
        taskserv, definition = self.found(request, id, "taskserv_delete")
        form = SchemaForm(request.POST or None, properties={"purge": PURGE})
        form.fields["purge"].label = "Delete its data, too"
        shown: dict[str, Any] = {"workspaces": [], "workspace": taskserv.workspace.name}

        def remove(check: bool) -> Operation:
            return delete.delete_taskserv(
                taskserv_id=taskserv.pk,
                actor=current_user(request),
                purge=form.cleaned_data["purge"],
                check_mode=check,
            )

        return self.answer(request, form, shown, remove) or self.form_page(
            request,
            definition,
            form,
            f"Remove {full_name(taskserv)}",
            "Remove",
            lead=f"{taskserv.name} is stopped, and its packages are removed from {where(taskserv)}.",
            servers=None,
            is_removal=True,
            back=page_of(taskserv),
            **shown,
        )

    def configure(
        self,
        request: HttpRequest,
        taskserv: Taskserv,
        form: SchemaForm,
        present: dict[str, Any],
        servers: list[str] | None,
        *,
        check: bool,
    ) -> Operation:
        """Call the service with what differs from what is there. Raises DomainError."""
        values = form.cleaned_data
        given = {
            name: value for name, value in values.items() if value not in (None, "") and value != present.get(name)
        }
        return configure.configure_taskserv(
            taskserv_id=taskserv.pk,
            actor=current_user(request),
            config=given or None,
            servers=servers,
            check_mode=check,
        )

    def form_page(
        self, request: HttpRequest, definition: Definition, form: SchemaForm, title: str, verb: str, **more: Any
    ) -> TemplateResponse:
        """Show a form of options and servers."""
        may_create = self.allows(request, "server_create")
        return self.page(
            request, "install", title, definition=definition, form=form, verb=verb, may_create=may_create, **more
        )

    def page(self, request: HttpRequest, template: str, title: str, **more: Any) -> TemplateResponse:
        """Show a page of these."""
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/taskservs/{template}.html", context | more)


def running_in(place: Workspace | None) -> list[Server]:
    """Return the servers that something can be installed on."""
    return (
        list(Server.objects.filter(workspace=place, status="running").order_by("hostname")[:MAX_SERVERS])
        if place
        else []
    )


def where(taskserv: Taskserv) -> str:
    """Name all servers of a taskserv."""
    *others, last = sorted(taskserv.servers.values_list("hostname", flat=True)) or ["its servers"]
    return f"{', '.join(others)} and {last}" if others else last


def cards(catalog: dict[str, Definition], request: HttpRequest) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the catalog by category; servers and workspace that were chosen go along."""
    kept = [(key, value) for key in ("workspace", "servers") for value in request.GET.getlist(key)]
    found: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for name, definition in sorted(catalog.items(), key=lambda each: each[1].title.lower()):
        found[definition.category.replace("-", " ").capitalize()].append(
            {
                "title": definition.title,
                "description": definition.description,
                "more": f"Versions {', '.join(definition.versions)}",
                "address": f"?{urlencode([('name', name), *kept])}",
                "text": f"{name} {definition.title} {definition.category}".lower(),
            }
        )
    return sorted(found.items())


def versions_above(version: str, definition: Definition) -> list[str]:
    """Return the versions of the catalog that are higher, lowest first."""
    return [each for each in definition.versions if upgrade.numbers(each) > upgrade.numbers(version)]
