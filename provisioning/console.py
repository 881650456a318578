"""Settings of the console's theme, django-unfold: names, colors, and the navigation of each role."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

BLUE = {
    "50": "oklch(97% .014 254.604)",
    "100": "oklch(93.2% .032 255.585)",
    "200": "oklch(88.2% .059 254.128)",
    "300": "oklch(80.9% .105 251.813)",
    "400": "oklch(70.7% .165 254.624)",
    "500": "oklch(58% .19 256)",
    "600": "oklch(50% .17 254)",
    "700": "oklch(45% .16 255)",
    "800": "oklch(39% .13 256)",
    "900": "oklch(35% .11 257)",
    "950": "oklch(27% .08 258)",
}

# Title, icon, page and the permission that it takes, in an operator's order.
Entry = tuple[str, str, str, str]
NAVIGATION: list[tuple[str, list[Entry]]] = [
    ("", [("Dashboard", "space_dashboard", "admin:index", "")]),
    (
        "Infrastructure",
        [
            ("Servers", "dns", "admin:servers_server_changelist", "servers.server_read"),
            ("Taskservs", "deployed_code", "admin:taskservs_taskserv_changelist", "taskservs.taskserv_read"),
            ("Orphans", "help_center", "admin:servers_orphan_changelist", "servers.server_read"),
        ],
    ),
    (
        "Activity",
        [
            ("Operations", "list_alt", "admin:operations_operation_changelist", "operations.operation_read"),
            ("Workflows", "account_tree", "admin:workflows_workflow_changelist", "workflows.workflow_read"),
            (
                "Workflow definitions",
                "schema",
                "admin:workflows_workflowdefinition_changelist",
                "workflows.workflow_read",
            ),
            ("Schedules", "schedule", "admin:workflows_schedule_changelist", "workflows.workflow_read"),
            ("Freeze windows", "ac_unit", "admin:workflows_freezewindow_changelist", "workflows.workflow_read"),
        ],
    ),
    (
        "Providers",
        [
            ("Cloud accounts", "cloud", "admin:providers_cloudaccount_changelist", "providers.account_change"),
            ("Plans", "sell", "admin:providers_plan_changelist", "servers.server_read"),
            ("Zones", "public", "admin:providers_zone_changelist", "servers.server_read"),
        ],
    ),
    (
        "Administration",
        [
            ("Workspaces", "folder_open", "admin:workspaces_workspace_changelist", "workspaces.workspace_read"),
            ("Users", "person", "admin:accounts_user_changelist", "accounts.view_user"),
            ("Roles", "group", "admin:auth_group_changelist", "auth.view_group"),
            ("Worker nodes", "memory", "admin:operations_workernode_changelist", "operations.operation_read"),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar, with the pages that the user may open."""
    groups = [
        {"title": title, "separator": bool(title), "items": [item(entry) for entry in entries if may(request, entry)]}
        for title, entries in NAVIGATION
    ]
    return [group for group in groups if group["items"]]


def may(request: HttpRequest, entry: Entry) -> bool:
    """Tell whether the user may open a page."""
    return not entry[3] or request.user.has_perm(entry[3])


def item(entry: Entry) -> dict[str, Any]:
    """Return an entry as the theme takes it."""
    title, icon, page, _ = entry
    return {"title": title, "icon": icon, "link": reverse_lazy(page)}


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what the menu of the user's own account leads to, besides password and logout."""
    return [{"title": "API reference", "link": "/v1/docs"}]


def icon(request: HttpRequest) -> str:
    """Return the address of the icon."""
    return static("system/favicon.svg")


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's own styles."""
    return static("system/console.css")


def script(request: HttpRequest) -> str:
    """Return the address of the console's own script."""
    return static("system/console.js")


UNFOLD = {
    "SITE_TITLE": "Provisioning",
    "SITE_HEADER": "Provisioning",
    "SITE_SUBHEADER": "Servers, services, workflows",
    "SITE_URL": "/admin/",
    "SITE_ICON": "provisioning.console.icon",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "provisioning.console.icon"}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": ["provisioning.console.stylesheet"],
    "SCRIPTS": ["provisioning.console.script"],
    "COLORS": {"primary": BLUE},
    "ACCOUNT": {"navigation": "provisioning.console.account_links"},
    "COMMAND": {"search_callback": "provisioning.palette.found"},
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": "provisioning.console.navigation"},
}
