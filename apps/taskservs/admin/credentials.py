"""The credentials of a taskserv: shown when they are asked for, each look recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.accounts.current_user import current_user
from apps.system.admin import PageLink, Table, ago, copyable, page_of
from apps.system.admin.facts import in_words
from apps.system.admin.refusals import refusal_text
from apps.system.errors import DomainError
from apps.taskservs.admin.names import full_name
from apps.taskservs.models import Taskserv
from apps.taskservs.services import credentials

if TYPE_CHECKING:
    from apps.system.admin import ReadOnlyAdmin

    Base = ReadOnlyAdmin
else:
    Base = object

PERMISSION = "taskserv_create"


class CredentialsMixin(Base):
    """The page with the credentials of a taskserv, and the button that leads there."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        view = self.admin_site.admin_view(self.credentials_view)
        return [path("<str:id>/credentials/", view, name="taskservs_taskserv_credentials"), *super().get_urls()]

    def credentials_view(self, request: HttpRequest, id: str) -> HttpResponse:
        """Show the credentials, and record the look; the framework forbids to store pages of the admin site.

        Whoever comes by GET, as after a login, is led to the taskserv, where they can be asked for.
        """
        self.refuse_without(request, PERMISSION)
        row = self.get_object(request, id)
        if row is None or request.method != "POST" or not row.sealed_secrets:
            return HttpResponseRedirect(page_of(row) if row else reverse("admin:taskservs_taskserv_changelist"))
        try:
            _, values = credentials.read_credentials(taskserv_id=row.pk, actor=current_user(request))
        except DomainError as refusal:
            self.message_user(request, refusal_text(refusal), messages.ERROR)
            return HttpResponseRedirect(page_of(row))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Credentials of {full_name(row)}",
            "opts": self.opts,
            "media": self.media,
            "table": Table(
                "Credentials", ["Option", "Value"], [[in_words(key), copyable(text_of(values[key]))] for key in values]
            ),
            "back": page_of(row),
        }
        return TemplateResponse(request, "admin/taskservs/credentials.html", context)


def text_of(value: Any) -> str:
    """Return a value as text: what is no text as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def credentials_links(row: Taskserv) -> list[PageLink]:
    """Return the button that shows the credentials of a taskserv that has some."""
    address = reverse("admin:taskservs_taskserv_credentials", args=[row.pk])
    return [PageLink("Show credentials", address, PERMISSION, is_posted=True)] if row.sealed_secrets else []


def looks_table(row: Taskserv) -> Table:
    """Show who looked at its credentials last."""
    looks = credentials.opened_by(row)[:10]
    return Table(
        title="Looks at its credentials",
        columns=["User", "When"],
        rows=[[look.username, ago(look.at)] for look in looks],
        permission=PERMISSION,
    )
