"""What all pages of the console share: read-only unless a permission says more, and services behind every change."""

from apps.system.admin.display import (
    badge,
    copyable,
    current_request,
    link,
    linked,
    list_of,
    may_open,
    page_of,
    standing_badge,
    with_code,
)
from apps.system.admin.facts import facts
from apps.system.admin.forms import ServiceForm
from apps.system.admin.pages import ReadOnlyAdmin
from apps.system.admin.paginator import BoundedPaginator
from apps.system.admin.tables import Button, PageLink, Problem, Table
from apps.system.admin.times import ago, duration, exact

__all__ = [
    "BoundedPaginator",
    "Button",
    "PageLink",
    "Problem",
    "ReadOnlyAdmin",
    "ServiceForm",
    "Table",
    "badge",
    "copyable",
    "current_request",
    "link",
    "linked",
    "list_of",
    "may_open",
    "page_of",
    "standing_badge",
    "with_code",
    "ago",
    "duration",
    "exact",
    "facts",
]
