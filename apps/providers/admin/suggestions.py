"""What forms suggest where a provider, a plan or a zone is asked for, and how facts tell providers and prices."""

from __future__ import annotations

from apps.providers.admin.prices import money, parts_of
from apps.providers.models import CloudAccount, Plan, Zone
from apps.providers.registry import title_of
from apps.system.admin.facts import register_fact_wording
from apps.system.admin.schema_form import register_suggestions

MAX_SUGGESTED = 500


def known_providers() -> list[tuple[str, str]]:
    """Return the providers with an account that is enabled."""
    names = CloudAccount.objects.filter(enabled=True).order_by("provider").values_list("provider", flat=True).distinct()
    return [(name, title_of(name)) for name in names]


def known_plans() -> list[tuple[str, str]]:
    """Return the plans that can be ordered, each with what it has."""
    plans = Plan.objects.filter(retired_at=None, account__enabled=True).order_by("cpus", "memory_mib", "name")
    return list({plan.name: parts_of(plan) for plan in plans[:MAX_SUGGESTED]}.items())


def known_zones() -> list[tuple[str, str]]:
    """Return the zones of all accounts, each with its title."""
    zones = Zone.objects.filter(retired_at=None, account__enabled=True).order_by("name")
    return list(dict(zones.values_list("name", "title")[:MAX_SUGGESTED]).items())


def monthly_text(price: dict[str, str]) -> str:
    """Write a price as what it is a month."""
    return f"{money(price)} a month" if price.get("monthly") else "not known"


def monthly_texts(prices: list[dict[str, str]]) -> str:
    """Write prices, one for each currency, as what they are a month."""
    return " + ".join(map(monthly_text, prices)) or "nothing"


register_suggestions("provider", known_providers)
register_suggestions("plan", known_plans)
register_suggestions("zone", known_zones)
register_fact_wording("provider", title_of)
register_fact_wording("price", monthly_text, of=dict)
register_fact_wording("price", monthly_texts, of=list)
