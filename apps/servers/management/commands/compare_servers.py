"""Compare every account's machines with its servers, through the worker, and print what was found."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.errors import TargetBusy
from apps.operations.models import Event, Operation
from apps.operations.services import holder_of
from apps.providers.models import Account
from apps.servers.services import drift


class Command(BaseCommand):
    help = (
        "Compare the machines of every account in use with its servers and print what differs; needs a running worker."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, default=120, help="seconds to wait for the worker (default 120)")

    def handle(self, *args: Any, wait: float, **options: Any) -> None:
        give_up = time.monotonic() + wait
        for account, operation in [(each, submitted(each)) for each in drift.accounts_in_use()]:
            while not operation.has_ended and time.monotonic() < give_up:
                time.sleep(0.1)
                operation.refresh_from_db()
            if operation.status != Operation.Status.COMPLETED:
                why = operation.error or operation.note or "no worker has taken it; is one running?"
                raise CommandError(f"{account}: operation {operation.pk} is {operation.status}: {why}")
            self.tell(account, operation)

    def tell(self, account: Account, operation: Operation) -> None:
        found = operation.result
        counts = f"{found['servers']} servers, {len(found['drifted'])} drifted, {len(found['orphans'])} orphans"
        self.stdout.write(f"{account}: {counts}")
        for event in operation.events.filter(level=Event.Level.WARNING):
            self.stdout.write(f"  {event.message}")


def submitted(account: Account) -> Operation:
    """Queue the comparison of one account, or return the one under way."""
    try:
        return drift.compare_account(account=account)
    except TargetBusy:
        return holder_of(f"compare:{account.pk}") or drift.compare_account(account=account)
