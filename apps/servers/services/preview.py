"""Previews of workflow steps that create and delete servers: what they would do and cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.providers.models import Plan
from apps.providers.registry import title_of
from apps.providers.services.catalog import Offering, offering
from apps.servers.errors import HostnameTaken
from apps.servers.models import Server
from apps.servers.services.create_options import row_options
from apps.servers.services.delete import preflight_deletion
from apps.servers.services.limits import price_of, refuse_beyond_limits
from apps.workspaces.services import workspace_named


def preflight_creation(
    *,
    workspace: str,
    provider: str,
    plan: str,
    zone: str,
    image: str = "",
    expires_at: datetime | None = None,
    **others: Any,
) -> None:
    """Refuse what every creation would be refused for.

    Raises UnknownWorkspace, UnknownProvider, UnknownPlan, UnknownZone, UnknownImage, ExpiryPassed.
    """
    offer = offer_of(workspace=workspace, provider=provider, plan=plan, zone=zone)
    row_options(offer.account, image=image, expires_at=expires_at)


def describe_creation(
    *, workspace: str, provider: str, plan: str, hostname: str, zone: str, tags: list[str] | None = None, **options: Any
) -> str:
    """Say what a creation would order.

    Raises UnknownWorkspace, UnknownProvider, UnknownPlan, UnknownZone, UnknownImage, ExpiryPassed, HostnameTaken,
    LimitReached.
    """
    place = workspace_named(workspace)
    offer = offer_of(workspace=workspace, provider=provider, plan=plan, zone=zone)
    facts: dict[str, Any] = {"provider": provider, "plan": plan, "size": offer.size, "zone": zone}
    options = row_options(offer.account, **options)
    refuse_beyond_limits(Server(workspace=place, account=offer.account, hostname=hostname, **facts, **options))
    if Server.objects.filter(workspace=place, hostname__iexact=hostname).exists():
        raise HostnameTaken(hostname=hostname, workspace=workspace)
    size = f" ({offer.size})" if offer.size and offer.size != plan else ""
    return f"Create server {hostname} at {title_of(provider)} in {zone}, plan {plan}{size}."


def price_of_creation(*, workspace: str, provider: str, plan: str, zone: str, **others: Any) -> dict[str, str] | None:
    """Return currency, price an hour and price a month (decimal strings); None when they are not known."""
    offer = offer_of(workspace=workspace, provider=provider, plan=plan, zone=zone)
    return price_of(Plan.objects.filter(account=offer.account, name=offer.size).first(), zone)


def offer_of(*, workspace: str, provider: str, plan: str, zone: str) -> Offering:
    """Return the account and the plan that are meant. Raises what `offering` does."""
    return offering(workspace_named(workspace), provider=provider, plan=plan, zone=zone)


def describe_deletion(*, workspace: str, server_id: str, **others: Any) -> str:
    """Say what a deletion would take away. Raises NotFound, OtherWorkspace, ServerProtected."""
    preflight_deletion(server_id=server_id, workspace=workspace)
    server = Server.objects.get(pk=server_id)
    return f"Delete server {server.hostname} ({server.id}) at {server.provider_title}, its disks with it."
