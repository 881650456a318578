"""The limits of an account: how many servers, at what price, and how many on order at once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from apps.operations import transitions
from apps.providers.models import Account, Plan
from apps.servers.errors import LimitReached
from apps.servers.models import Server


def refuse_beyond_limits(server: Server) -> None:
    """Refuse one more server where the account has reached a limit. Raises LimitReached.

    The account's row stays locked to the end of the transaction, so that two who order at once are counted one after
    the other.
    """
    account = server.account
    if account.max_servers is None and account.max_monthly_price is None:
        return
    Account.objects.select_for_update().get(pk=account.pk)
    count = Server.objects.filter(account=account).count()
    if account.max_servers is not None and count >= account.max_servers:
        raise LimitReached(f"{account} may have {account.max_servers} servers and has {count}.")
    if account.max_monthly_price is not None:
        refuse_beyond_price(server)


def refuse_beyond_price(server: Server) -> None:
    """Refuse a server that would cost more than the account may; a price that is not known is too much."""
    sizes = Counter(Server.objects.filter(account=server.account).values_list("size", "plan", "zone"))
    sizes[(server.size, server.plan, server.zone)] += 1
    plans = {plan.name: plan for plan in server.account.plans.all()}
    total, currency = Decimal(0), ""
    for (size, plan, zone), count in sizes.items():
        price = price_of(plans.get(size or plan), zone)
        if price is None:
            raise LimitReached(
                f"{server.account} has a limit for its monthly price, and the price of {size or plan} in {zone} is not "
                "known."
            )
        total, currency = total + count * Decimal(price["monthly"]), price["currency"]
    if total > server.account.max_monthly_price:
        raise LimitReached(
            f"{server.account} may cost {server.account.max_monthly_price} {currency} a month; with this server it "
            f"would cost {total}."
        )


def price_of(plan: Plan | None, zone: str) -> dict[str, str] | None:
    """Return a plan's price in a zone, None when it is not known."""
    return plan.price_in(zone) if plan else None


# ── orders under way ──────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def take_slot(server: Server) -> str:
    """Take one of the places for orders under way at the server's account; returns why there is none, or nothing.

    A server keeps its place until its creation has ended; asking again changes nothing.
    """
    account = Account.objects.select_for_update().get(pk=server.account_id)
    if account.max_creating is not None:
        others = on_order(account).exclude(pk=server.pk).count()
        if others >= account.max_creating:
            return f"{others} of {account.max_creating} machines that may be on order at once at {account} are"
    Server.objects.filter(pk=server.pk, ordered_at=None).update(ordered_at=timezone.now())
    return ""


def free_slot(server_id: str) -> None:
    """Give a server's place back, and wake the creation that has waited longest for one."""
    server = Server.objects.select_related("account").filter(pk=server_id).exclude(ordered_at=None).first()
    if server is None:
        return
    Server.objects.filter(pk=server_id).update(ordered_at=None)
    if server.account.max_creating is not None:
        waiting = Server.objects.filter(account=server.account, status=Server.Status.PENDING, ordered_at=None, ref="")
        for first in waiting.exclude(pk=server_id).order_by("created_at")[:1]:
            transitions.wake_target(first.target)


def on_order(account: Account):
    """Select the servers that hold a place."""
    return Server.objects.filter(account=account).exclude(ordered_at=None)
