"""How taskservs are on their servers, in badges, in words and as a filter."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.admin import in_names
from apps.system.admin import Problem, ago, badge
from apps.taskservs.machines import is_unreal
from apps.taskservs.models import Installation, Taskserv
from apps.taskservs.services.health import of_health, worst

AFTER_BAD_HEALTH = "Once the cause is gone, Verify looks again; Configure applies its configuration once more."
SHOWN_PROBLEMS = 5
EMULATED = SafeString('<span class="badge badge-emulated" title="nothing is really installed">emulated</span>')


def health_badge(each: Installation) -> SafeString:
    """Show what the last verification found, and when; on a machine that only pretends there is nothing to verify."""
    if is_unreal(each.server):
        return EMULATED
    return format_html("{} {}", badge(each.health), ago(each.verified_at, empty=""))


def worst_badge(row: Taskserv) -> SafeString:
    """Show the health of a taskserv, that of its worst server, or that nothing is really installed."""
    if any(is_unreal(server) for server in row.servers.all()):
        return EMULATED
    return badge(worst(each.health for each in row.installations.all()))


def bad_health(row: Taskserv) -> list[Problem]:
    """Say on which servers it does not work, the first few of them; the table below has all."""
    bad = row.installations.filter(health__in=[Installation.Health.DEGRADED, Installation.Health.UNREACHABLE])
    return [
        Problem(
            f"It is {each.health} on {each.server}",
            in_names([each.error])[0],
            AFTER_BAD_HEALTH,
            permission="taskserv_create",
        )
        for each in bad.select_related("server").order_by("position")[:SHOWN_PROBLEMS]
    ]


class HealthFilter(admin.SimpleListFilter):
    """Pick taskservs by health, that of their worst server."""

    title, parameter_name = "health", "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer all."""
        return [(health.value, str(health.label).lower()) for health in Installation.Health]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Pick."""
        return of_health(queryset, self.value() or "") if self.value() in Installation.Health.values else queryset
