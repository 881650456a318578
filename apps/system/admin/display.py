"""How rows, states, times and links look on every page of the console."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# The request whose page is being made, for links that its user could not follow. Every page of ours sets it first.
current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)

CODE = re.compile(r"`([^`]+)`")


def badge(word: str, tone: str = "") -> SafeString:
    """Show a state in its color: that of the word, or another's where the same word means something else."""
    return format_html('<span class="badge badge-{}">{}</span>', tone or word, word)


def standing_badge(status: str) -> SafeString:
    """Show the status of something that stands: there `running` is good, not under way."""
    return badge(status, "up" if status == "running" else "")


def copyable(text: str) -> SafeString:
    """Show a text with a button that copies it."""
    return format_html(
        '<span class="c-copy"><code class="c-code">{0}</code>'
        '<button type="button" class="c-button c-small" data-copy="{0}">Copy</button></span>',
        text,
    )


def with_code(text: str) -> SafeString:
    """Set words between backticks as code."""
    pieces = CODE.split(text)
    marked = (format_html("<code>{}</code>", piece) if at % 2 else piece for at, piece in enumerate(pieces))
    return format_html_join("", "{}", ((piece,) for piece in marked))


def page_of(row: Model) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])


def list_of(model: type[Model], **filters: Any) -> str:
    """Return the address of a model's list, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{'&'.join(f'{name}={value}' for name, value in filters.items())}" if filters else address


def may_open(model: type[Model]) -> bool:
    """Tell whether the user whose page is being made may open the pages of a model; yes while no page is."""
    request, pages = current_request.get(), admin.site._registry.get(model)
    return request is None or pages is None or pages.has_view_permission(request)


def link(row: Model | None, text: Any = None) -> SafeString | str:
    """Show a row as a link to its page, or without one to those who may not open it."""
    if row is None:
        return "-"
    return format_html('<a href="{}">{}</a>', page_of(row), text or row) if may_open(type(row)) else str(text or row)


def linked(name: str, title: str = "") -> Any:
    """Return a field of a page that shows a related row, linked for those who may open it; `title` is its label.

    It is a function of the row, which the framework's types allow in lists only.
    """

    @admin.display(description=title or name, ordering=name)
    def shown(row: Any) -> SafeString | str:
        return link(getattr(row, name))

    return shown
