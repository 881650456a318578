"""Read every account's plans and zones again, through the worker."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.operations.errors import TargetBusy
from apps.operations.models import Operation
from apps.providers import services
from apps.providers.models import CloudAccount
from apps.system.long_command import LongCommand, progress_bar


class Command(LongCommand):
    help = "Read the plans and zones of every enabled account; needs a running worker."
    on_interrupt = "The worker goes on reading; run it again to wait for that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, default=60, help="seconds to wait for the worker (default 60)")
        parser.add_argument(
            "--allow-missing-engine",
            action="store_true",
            help="succeed although no container engine answers here for the accounts of provider local",
        )

    def handle(self, *args: Any, wait: float, allow_missing_engine: bool, **options: Any) -> None:
        accounts = list(CloudAccount.objects.filter(enabled=True))
        operations = [submitted(account) for account in accounts]
        give_up = time.monotonic() + wait
        failed = 0
        with progress_bar("reading", unit="accounts", total=len(accounts)) as bar:
            for operation in operations:
                while not operation.has_ended and time.monotonic() < give_up:
                    time.sleep(0.1)
                    operation.refresh_from_db()
                bar.update()
        for account, operation in zip(accounts, operations, strict=True):
            if allow_missing_engine and operation.error_code == "ENGINE_NOT_FOUND":
                continue
            if operation.status != Operation.Status.COMPLETED:
                failed += 1
                reason = operation.error or operation.status_message or "no worker has taken it; is one running?"
                self.stdout.write(
                    f"catalog of {account.identifier}: {operation.status}: {reason} (operation {operation.pk})"
                )
        self.stdout.write(f"catalog: {len(accounts) - failed} account(s) read")
        if failed:
            raise CommandError(f"{failed} account(s) could not be read.")


def submitted(account: CloudAccount) -> Operation:
    """Queue the reading of one account, or return the one under way, which may have ended meanwhile."""
    try:
        return services.refresh_catalog(account=account)
    except TargetBusy:
        return Operation.objects.filter(target=f"catalog:{account.pk}").latest("created_at")
