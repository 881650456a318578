"""The limits of an account: how many servers, at what price, and how many on order at once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Concat
from django.utils import timezone

from apps.operations import transitions
from apps.operations.models import Operation
from apps.providers.models import CloudAccount, Plan
from apps.servers.errors import LimitReached
from apps.servers.models import Server


def refuse_beyond_limits(server: Server) -> None:
    """Refuse one more server where the account has reached a limit. Raises LimitReached.

    The account's row stays locked to the end of the transaction, so that two who order at once are counted one after
    the other.
    """
    if server.account.max_servers is None and server.account.max_monthly_price is None:
        return
    server.account = account = locked(server.account)
    count = account.servers.exclude(pk=server.pk).count()
    if account.max_servers is not None and count >= account.max_servers:
        raise LimitReached(f"{account} may have {account.max_servers} servers and has {count}.")
    if account.max_monthly_price is not None and server.size:  # before the plans are read, no price is known
        refuse_beyond_price(server)


def locked(account: CloudAccount) -> CloudAccount:
    """Return the account as it now is, locked against others who count; rows that refer to it may still be made."""
    return CloudAccount.objects.select_for_update(no_key=True).get(pk=account.pk)


def refuse_beyond_price(server: Server) -> None:
    """Refuse a server that would cost more than the account may; a price that is not known is too much.

    Servers whose plan is not chosen yet are counted when it is.
    """
    others = server.account.servers.exclude(pk=server.pk).exclude(size="", status=Server.Status.PENDING, ref="")
    sizes = Counter(others.values_list("size", "plan", "zone"))
    sizes[(server.size, server.plan, server.zone)] += 1
    plans = {plan.name: plan for plan in server.account.plans.all()}
    maximum, total, currency = server.account.max_monthly_price, Decimal(0), ""
    for (size, plan, zone), count in sizes.items():
        price = price_of(plans.get(size or plan), zone)
        if price is None:
            raise LimitReached(
                f"{server.account} has a limit for its monthly price, and the price of {size or plan} in {zone} is not "
                "known."
            )
        total, currency = total + count * Decimal(price["monthly"]), price["currency"]
    if maximum is not None and total > maximum:
        raise LimitReached(
            f"{server.account} may cost {maximum} {currency} a month; with this server it would cost {total}."
        )


def price_of(plan: Plan | None, zone: str) -> dict[str, str] | None:
    """Return a plan's price in a zone, None when it is not known."""
    return plan.price_in(zone) if plan else None


# ── orders under way ──────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def reserve_order_slot(server: Server) -> str:
    """Take one of the places for orders under way at the server's account; returns why there is none, or nothing.

    A server keeps its place until its creation has ended; asking again changes nothing. Those that wait are served in
    the order they came in, whichever asks first.
    """
    if server.ordered_at is not None:
        return ""
    account = locked(server.account) if server.account.max_creating is not None else server.account
    if account.max_creating is not None:
        taken = account.servers.exclude(ordered_at=None).count()
        if server.pk not in [one.pk for one in next_in_line(account, account.max_creating - taken)]:
            return f"{taken} of {account.max_creating} machines that may be on order at once at {account} are"
    Server.objects.filter(pk=server.pk).update(ordered_at=timezone.now())
    return ""


def release_order_slot(server_id: str) -> None:
    """Give a server's place back, and wake the creations that have waited longest for one."""
    server = Server.objects.select_related("account").filter(pk=server_id).exclude(ordered_at=None).first()
    if server is None:
        return
    Server.objects.filter(pk=server_id).update(ordered_at=None)
    account = server.account
    if account.max_creating is not None:
        taken = account.servers.exclude(ordered_at=None).count()
        for waiting in next_in_line(account, account.max_creating - taken):
            transitions.wake_target(waiting.target)


def next_in_line(account: CloudAccount, places: int) -> list[Server]:
    """Return the servers whose creation has begun and that have no place yet: so many that came first.

    One whose creation has not begun, or is being undone, would keep others waiting for nothing.
    """
    begun = Operation.objects.unfinished().filter(
        limit_key=account.limit_key, status=Operation.Status.RUNNING, target=Concat(Value("server:"), OuterRef("pk"))
    )
    waiting = account.servers.filter(Exists(begun), status=Server.Status.PENDING, ordered_at=None, ref="")
    return list(waiting.order_by("created_at", "id")[: max(0, places)])
