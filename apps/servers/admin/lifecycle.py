"""Starting, stopping and rebooting servers from the admin, protecting them, and setting when they expire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.current_user import current_user
from apps.operations.admin import operation_link
from apps.operations.models import Operation
from apps.servers.models import Drift, Server
from apps.servers.services import power, update
from apps.servers.services.expiry import expiry_obstacle
from apps.system.admin import Button, ReadOnlyAdmin, ServiceForm


class ServerForm(ServiceForm):
    """What of a server a form may change."""

    expires_at = forms.DateTimeField(
        required=False,
        label="Expires at (UTC)",
        help_text="When it is deleted by itself, unless it is protected or services are installed on it.",
        widget=forms.DateTimeInput({"type": "datetime-local", "class": "c-input"}, format="%Y-%m-%dT%H:%M"),
    )

    class Meta:
        model = Server
        fields = ["protected", "expires_at"]
        help_texts = {"protected": "It is not deleted, by nobody and nothing, until this is lifted."}

    def act(self) -> Server:
        """Change the server."""
        return update.change_server(server_id=self.instance.pk, **self.cleaned_data)


class ExpiryFilter(admin.SimpleListFilter):
    """Pick servers by whether they expire."""

    title, parameter_name = "expiry", "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the four."""
        return [("over", "has expired"), ("week", "within 7 days"), ("coming", "will expire"), ("none", "never")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        now: datetime = timezone.now()
        known: dict[str, dict[str, Any]] = {
            "over": {"expires_at__lte": now},
            "coming": {"expires_at__gt": now},
            "week": {"expires_at__lte": now + timedelta(days=7)},
            "none": {"expires_at": None},
        }
        return queryset.filter(**known.get(self.value() or "", {}))


class LifecycleMixin(ReadOnlyAdmin):
    """The actions of a server's life between its creation and its deletion."""

    form = ServerForm
    change_permission = "server_create"

    def get_readonly_fields(self, request: HttpRequest, obj: Server | None = None) -> list[str]:
        """Show everything, and let the form change only its own."""
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        return [name for name in shown if name not in ServerForm.Meta.fields]

    def has_server_create_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to create servers, which covers to switch and to change them."""
        return self.allows(request, "server_create")

    def life_buttons(self, row: Server) -> list[Button]:
        """Return what can be done with a server as it is now."""
        buttons = [
            Button("unprotect_servers", "Lift protection") if row.protected else Button("protect_servers", "Protect")
        ]
        if row.status == Server.Status.STOPPED or row.drift == Drift.STOPPED:
            buttons += [Button("start_servers", "Start")]
        if row.status == Server.Status.RUNNING or row.drift == Drift.STARTED:
            buttons += [Button("stop_servers", "Stop…")]
        if row.status == Server.Status.RUNNING:
            buttons += [Button("reboot_servers", "Reboot…")]
        return buttons if row.status != Server.Status.DELETING else []

    @admin.action(description="Start selected servers", permissions=["server_create"])
    def start_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the starts."""
        self.switch(request, queryset, "start", power.start_server)

    @admin.action(description="Stop selected servers…", permissions=["server_create"])
    def stop_servers(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Ask once, then queue the stops."""
        return self.switch(request, queryset, "stop", power.stop_server, ask=True)

    @admin.action(description="Reboot selected servers…", permissions=["server_create"])
    def reboot_servers(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Ask once, then queue the reboots."""
        return self.switch(request, queryset, "reboot", power.reboot_server, ask=True)

    def switch(
        self,
        request: HttpRequest,
        queryset: QuerySet,
        verb: str,
        submit: Callable[..., Operation],
        *,
        ask: bool = False,
    ) -> TemplateResponse | None:
        """Queue an operation for each server, once it is confirmed where it has to be."""
        if ask and "confirmed" not in request.POST:
            servers = self.limited_selection(request, queryset)
            return self.ask_to(verb, request, servers) if servers else None

        def act(server: Server) -> SafeString:
            operation = submit(server_id=server.pk, actor=current_user(request))
            return format_html("Queued: {}", operation_link(operation))

        self.act_on_each(request, queryset, act, note=f"Queued its {verb}.")
        return None

    def ask_to(self, verb: str, request: HttpRequest, servers: list[Server]) -> TemplateResponse:
        """Show which servers would be switched."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.capitalize()} servers",
            "opts": self.opts,
            "media": self.media,
            "servers": servers,
            "verb": verb,
            "page": request.POST.get("page", ""),
        }
        return TemplateResponse(request, "admin/servers/switch.html", context)

    @admin.action(description="Protect selected servers from deletion", permissions=["server_create"])
    def protect_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Protect them."""
        self.protect(request, queryset, protected=True)

    @admin.action(description="Lift the protection of selected servers", permissions=["server_create"])
    def unprotect_servers(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Lift their protection."""
        self.protect(request, queryset, protected=False)

    def protect(self, request: HttpRequest, queryset: QuerySet, *, protected: bool) -> None:
        """Set or lift the protection of each."""
        word = "protected" if protected else "no longer protected"

        def act(server: Server) -> str:
            update.change_server(server_id=server.pk, protected=protected)
            return f"{server.hostname} is {word}."

        self.act_on_each(request, queryset, act, note=f"Made it {word}.")

    @admin.display(description="after its expiry")
    def stays(self, row: Server) -> str:
        """Say why it is still there when its time is over."""
        return expiry_obstacle(row) or "-"
