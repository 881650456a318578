"""The dashboard of the console: what there is, what runs, what failed and what needs somebody, each with its list."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.system.admin import current_request
from provisioning.dashboard import activity, fleet

__all__ = ["panels"]


def panels(request: HttpRequest) -> dict[str, Any]:
    """Return what the dashboard shows to the user, without what they may not read."""
    current_request.set(request)
    user = request.user
    shown: dict[str, Any] = {"attention": []}
    if user.has_perm("operations.operation_read"):
        shown |= activity.panels()
        if user.has_perm("workflows.workflow_read"):
            shown["attention"] += activity.attention(shown)
    if user.has_perm("servers.server_read"):
        shown |= fleet.panels()
        shown["attention"] += fleet.attention(shown)
        shown["attention"] += fleet.of_accounts(
            shown.pop("accounts"), may_open=user.has_perm("providers.account_change")
        )
    shown["may_create"] = user.has_perm("servers.server_create")
    return shown
