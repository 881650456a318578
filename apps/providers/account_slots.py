"""Limits how many steps of a node call one account at a time, so that a cloud that hangs does not block the others.

An account has one slot less than the node has workers. All accounts that did not work when last checked share one
slot. A step that finds no free slot waits a moment in its worker if the others have just begun; otherwise it is
postponed and frees its worker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from django.conf import settings

from apps.operations.errors import Postponed
from apps.providers.models import CloudAccount
from apps.system.process_semaphore import acquire_slot, seconds_held

QUICK_SECONDS = 0.5
POLL_SECONDS = 0.02
POSTPONED_SECONDS = 1.0
UNREACHABLE_SECONDS = 5.0


@contextmanager
def account_slot(account: CloudAccount) -> Iterator[None]:
    """Hold one of the account's slots. Raises Postponed when none is free."""
    name, slots = slots_of(account)
    give_up = time.monotonic() + QUICK_SECONDS
    while (held := acquire_slot(name, slots)) is None:
        if time.monotonic() > give_up or seconds_held(name, slots) > QUICK_SECONDS:
            raise postponed(account, slots)
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        os.close(held)


def slots_of(account: CloudAccount) -> tuple[str, int]:
    """Return the name and the number of the slots that the account's steps share on this node."""
    if account.problem:
        return "unreachable-accounts", 1
    workers = cast(int, settings.Q_CLUSTER["workers"])  # the values of this setting are of several types
    return f"account-{account.pk}", max(1, workers - 1)


def postponed(account: CloudAccount, slots: int) -> Postponed:
    """Return a wait that says why no slot is free."""
    if account.problem:
        note = f"{account} does not work: {account.problem} Such accounts are asked by one operation at a time"
        return Postponed(UNREACHABLE_SECONDS, note)
    asking = "another operation is" if slots == 1 else f"{slots} other operations are"
    return Postponed(POSTPONED_SECONDS, f"{account} answers slowly; {asking} asking it")
