"""Slow work at the clouds themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from django.conf import settings

from apps.operations.errors import Refused, Retry, TargetBusy
from apps.operations.handler_api import Context, Done, Wait
from apps.operations.models import Operation
from apps.providers import drivers, services
from apps.providers.account_slots import account_slot
from apps.providers.drivers import base
from apps.providers.drivers.local import image
from apps.providers.models import CloudAccount, Image, Plan, Zone
from apps.providers.resolving import guarded_names
from apps.system.doctor import Finding, fail, ok, warn
from apps.system.encryption import unseal
from apps.system.errors import DomainError

READING_SECONDS = 0.5
UNREACHABLE = "PROVIDER_UNREACHABLE"
MAX_CHECKS = 32
CHECK_SECONDS = 8.0


@contextmanager
def connected(account: CloudAccount) -> Iterator[base.Driver]:
    """Give a driver for the account, and close it afterwards; that its cloud cannot be reached is shown at once.

    Raises Postponed while as many steps as may are asking the account.
    """
    with account_slot(account), opened(account) as driver:
        try:
            yield driver
        except Retry as error:
            if error.code == UNREACHABLE:
                services.note_contact(account, problem=error.message)
            raise


@contextmanager
def opened(account: CloudAccount) -> Iterator[base.Driver]:
    """Give a driver for the account without touching the database, and close it afterwards."""
    connection = base.Connection(
        endpoint=account.endpoint,
        credentials=unseal(account.sealed_credentials, what=account),
        installation=settings.INSTALLATION,
        privileged=account.privileged,
    )
    with guarded_names(), closing(drivers.connect(account.provider, connection)) as driver:
        yield driver


def check_accounts() -> None:
    """Ask accounts in use whether they work, all at the same time, and note what each says.

    This occupies a worker, so it takes CHECK_SECONDS at most: an account that has not answered by then is asked again
    next time, and of more accounts than MAX_CHECKS a random choice is asked. One whose plans have not been read yet is
    left to that reading: orders wait for it unless it has failed. One that works again has its plans read.
    """
    accounts = CloudAccount.objects.filter(enabled=True).exclude(refreshed_at=None).order_by("?")[:MAX_CHECKS]
    for account, problem in problems_of(list(accounts)):
        if problem is not None:
            services.note_contact(account, problem=problem)
        if problem == "" and account.problem:
            with suppress(TargetBusy):
                services.refresh_catalog(account=account)


def problems_of(accounts: list[CloudAccount]) -> Iterator[tuple[CloudAccount, str | None]]:
    """Yield what each account says, as the answers come, for CHECK_SECONDS at most."""
    answers: SimpleQueue[tuple[CloudAccount, str | None]] = SimpleQueue()
    for account in accounts:  # daemons: an account that never answers does not keep the process from ending
        ask = lambda account=account: answers.put((account, problem_of(account)))  # noqa: E731
        Thread(target=ask, name=f"check account {account.pk}", daemon=True).start()
    end = time.monotonic() + CHECK_SECONDS
    for _ in accounts:
        try:
            yield answers.get(timeout=max(0.0, end - time.monotonic()))
        except Empty:
            return


def problem_of(account: CloudAccount) -> str | None:
    """Return why an account does not work, empty when it does; None when its cloud is merely busy."""
    try:
        with opened(account) as cloud:
            cloud.check()
    except Retry as error:
        return error.message if error.code == UNREACHABLE else None
    except Refused as error:
        return error.message
    except DomainError as error:
        return error.text
    return ""


def refresh_catalog(context: Context) -> Done:
    """Read an account's plans and zones into the database."""
    account = CloudAccount.objects.get(pk=context.params["account"])
    with connected(account) as cloud:
        plans, zones, images = cloud.plans(), cloud.zones(), cloud.images()
    services.store_catalog(
        account=account,
        plans=[plan_row(account, plan) for plan in plans],
        zones=[Zone(account=account, name=zone.name, title=zone.title) for zone in zones],
        images=[
            Image(account=account, name=image.name, title=image.title[:255], position=position)
            for position, image in enumerate(images)
        ],
    )
    return Done({"plans": len(plans), "zones": len(zones), "images": len(images)})


def wait_for_catalog(account: CloudAccount) -> Wait | None:
    """Wait for the first reading of an account's plans, beginning it where nobody has; None when they are there.

    Raises AccountUnusable when the reading has failed.
    """
    if account.refreshed_at is not None or services.begin_reading(account):
        return None
    messages = (
        Operation.objects.unfinished().filter(target=f"catalog:{account.pk}").values_list("status_message", flat=True)
    )
    reason = next(filter(None, messages), "")
    return Wait(READING_SECONDS, message=f"the plans of {account} are being read{reason and ': '}{reason}")


def check_account(context: Context) -> Done:
    """Ask an account's cloud whether it answers and takes the credentials."""
    account = CloudAccount.objects.get(pk=context.params["account"])
    with connected(account) as cloud:
        cloud.check()
    return Done({"account": account.identifier, "works": True})


def plan_row(account: CloudAccount, plan: base.Plan) -> Plan:
    """Return the row of a plan; prices become decimal strings, which JSON does not round."""
    prices = {
        zone: {"currency": price.currency, "hourly": str(price.hourly), "monthly": str(price.monthly)}
        for zone, price in plan.prices.items()
    }
    return Plan(
        account=account,
        name=plan.name,
        family=plan.family,
        cpus=plan.cpus,
        memory_mib=plan.memory_mib,
        disk_gib=plan.disk_gib,
        prices=prices,
    )


def build_local_image(**options: Any) -> str:
    """Make the image of this machine's own machines; see the driver's `image.build`. Raises Refused, Transient."""
    return image.build(**options)


# ── what the doctor asks ──────────────────────────────────────────────────────────────────────────────────────────────


def diagnose(account: CloudAccount, name: str) -> list[Finding]:
    """Ask an account's cloud whether the credentials work, and say in its public words what is wrong."""
    try:
        with opened(account) as cloud:
            cloud.check()
    except Refused as error:
        return [
            fail(name, error.message, "Do what it says, or mend the account's endpoint and credentials in the admin.")
        ]
    except Retry as error:
        return [fail(name, error.message, "See whether its endpoint can be reached from here.")]
    return [ok(name, "It answers, and takes the credentials.")]


def diagnose_engine(name: str) -> list[Finding]:
    """See whether a container engine answers on this machine, and has the image that machines are made from.

    It is no failure when none does: accounts that need it are asked for themselves.
    """
    connection = base.Connection(endpoint="", credentials={}, installation=settings.INSTALLATION)
    try:
        with closing(drivers.connect("local", connection)) as engine:
            engine.check()
    except (Refused, Retry) as error:
        return [warn(name, error.message, "Only servers that are containers on this machine need it.")]
    return [ok(name, "It answers, and has the image that machines are made from.")]
