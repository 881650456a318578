"""What forms suggest where a provider, a plan or a zone is asked for."""

from __future__ import annotations

from apps.providers.admin.prices import parts_of
from apps.providers.models import CloudAccount, Plan, Zone
from apps.system.admin.schema_form import register_suggestions

MAX_SUGGESTED = 500


def known_providers() -> list[tuple[str, str]]:
    """Return the providers with an account that is enabled."""
    names = CloudAccount.objects.filter(enabled=True).order_by("provider").values_list("provider", flat=True).distinct()
    return [(name, "") for name in names]


def known_plans() -> list[tuple[str, str]]:
    """Return the plans that can be ordered, each with what it has."""
    plans = Plan.objects.filter(retired_at=None, account__enabled=True).order_by("cpus", "memory_mib", "name")
    return list({plan.name: parts_of(plan) for plan in plans[:MAX_SUGGESTED]}.items())


def known_zones() -> list[tuple[str, str]]:
    """Return the zones of all accounts, each with its title."""
    zones = Zone.objects.filter(retired_at=None, account__enabled=True).order_by("name")
    return list(dict(zones.values_list("name", "title")[:MAX_SUGGESTED]).items())


register_suggestions("provider", known_providers)
register_suggestions("plan", known_plans)
register_suggestions("zone", known_zones)
