"""Read every account's plans and zones again, through the worker."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.providers import services
from apps.providers.models import Account


class Command(BaseCommand):
    help = "Read the plans and zones of every enabled account; needs a running worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, default=60, help="seconds to wait for the worker (default 60)")

    def handle(self, *args: Any, wait: float, **options: Any) -> None:
        accounts = list(Account.objects.filter(enabled=True))
        operations = [submitted(account) for account in accounts]
        give_up = time.monotonic() + wait
        failed = 0
        for account, operation in zip(accounts, operations, strict=True):
            while not operation.has_ended and time.monotonic() < give_up:
                time.sleep(0.1)
                operation.refresh_from_db()
            if operation.status != Operation.Status.COMPLETED:
                failed += 1
                why = operation.error or operation.note or "no worker has taken it; is one running?"
                self.stdout.write(f"catalogue of {account}: {operation.status}: {why} (operation {operation.pk})")
        self.stdout.write(f"catalogue: {len(accounts) - failed} account(s) read")
        if failed:
            raise CommandError(f"{failed} account(s) could not be read.")


def submitted(account: Account) -> Operation:
    """Queue the reading of one account, or return the one under way."""
    try:
        return services.refresh_catalogue(account=account)
    except TargetBusy:
        return Operation.objects.unfinished().filter(target=f"catalogue:{account.pk}").latest("created_at")
