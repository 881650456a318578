"""Compare every account's machines with its servers, through the worker, and print what was found."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.operations.errors import TargetBusy
from apps.operations.models import Event, Operation
from apps.operations.services import holder_of
from apps.providers.models import CloudAccount
from apps.servers.services import drift
from apps.system.long_command import LongCommand, progress_bar


class Command(LongCommand):
    help = (
        "Compare the machines of every account in use with its servers and print what differs; needs a running worker."
    )

    on_interrupt = "The worker goes on comparing; run it again to wait for that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, default=120, help="seconds to wait for the worker (default 120)")

    def handle(self, *args: Any, wait: float, **options: Any) -> None:
        give_up = time.monotonic() + wait
        compared = [(each, submitted(each)) for each in drift.accounts_in_use()]
        with progress_bar("comparing", unit="accounts", total=len(compared)) as bar:
            for _, operation in compared:
                while not operation.has_ended and time.monotonic() < give_up:
                    time.sleep(0.1)
                    operation.refresh_from_db()
                bar.update()
        for account, operation in compared:
            if operation.status != Operation.Status.COMPLETED:
                reason = operation.error or operation.status_message or "no worker has taken it; is one running?"
                raise CommandError(f"{account.identifier}: operation {operation.pk} is {operation.status}: {reason}")
            self.tell(account, operation)

    def tell(self, account: CloudAccount, operation: Operation) -> None:
        found = operation.completed_result
        counts = f"{found['servers']} servers, {len(found['drifted'])} drifted, {len(found['orphans'])} orphans"
        self.stdout.write(f"{account.identifier}: {counts}")
        for event in operation.events.filter(level=Event.Level.WARNING):
            self.stdout.write(f"  {event.message}")


def submitted(account: CloudAccount) -> Operation:
    """Queue the comparison of one account, or return the one under way."""
    try:
        return drift.compare_account(account=account)
    except TargetBusy:
        return holder_of(f"compare:{account.pk}") or drift.compare_account(account=account)
