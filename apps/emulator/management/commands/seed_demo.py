"""Set up a workspace to try the service in: `production`, with the emulated cloud as its UpCloud, and containers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.emulator import containers
from apps.providers import services
from apps.providers.models import CloudAccount
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace

NO_ENGINE = "ENGINE_NOT_FOUND"


class Command(BaseCommand):
    help = (
        "Create workspace production, with the emulated UpCloud and, where there is a container engine, this machine's "
        "containers; run again, it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--take-over",
            action="store_true",
            help="Point upcloud/default to this folder's emulated cloud, even if it belongs to another folder's.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMULATOR:
            raise CommandError("The emulated cloud is not mounted here: seed_demo is for ENVIRONMENT=development.")
        if not Workspace.objects.filter(name="production").exists():
            first = not Workspace.objects.filter(active=True).exists()
            create_workspace(name="production", path="/opt/workspaces/production", activate=first)
        account = seed_emulated_account(take_over=options["take_over"])
        containers.tidy()
        missing = containers.missing()
        if missing != NO_ENGINE and not CloudAccount.objects.filter(provider="local", workspace=None).exists():
            services.register_account(provider="local", name="default", endpoint="", credentials={})
        self.stdout.write(f"workspace production, provider upcloud at {account.endpoint} (emulated)")
        if "/emulator/" in account.endpoint and account.endpoint != own_endpoint():
            self.stdout.write(
                "upcloud/default belongs to the emulated cloud of another folder, so it was left as it is; to point it "
                "to this one: manage.py seed_demo --take-over"
            )
        self.stdout.write(hint(missing))


def hint(missing: str) -> str:
    """Say what the servers of the emulated cloud are, and what to do for more."""
    if not containers.are_enabled():
        return "emulated servers are records only (EMULATOR_MACHINES=none)"
    if missing == NO_ENGINE:
        return "hint: emulated servers are only records; with Podman or Docker, containers to log in to"
    if missing:
        return "hint: emulated servers are only records; after `make image` (two minutes), machines to log in to"
    return "emulated servers are containers on this machine"


def own_endpoint() -> str:
    """Return where this folder's emulated cloud is reached."""
    return f"http://127.0.0.1:{settings.PORT}/emulator/1.3"


def seed_emulated_account(*, take_over: bool = False) -> CloudAccount:
    """Register upcloud/default, or let it follow this folder's emulated cloud to another port.

    The account belongs to the emulated cloud that it was registered for, whose machines it has. One that belongs to
    another folder's, or that was changed to lead elsewhere, is left as it is.
    """
    account = CloudAccount.objects.filter(provider="upcloud", name="default", workspace=None).first()
    if account is None or (
        account.endpoint != own_endpoint() and (take_over or ("/emulator/" in account.endpoint and is_own(account)))
    ):
        account = services.register_account(
            provider="upcloud",
            name="default",
            endpoint=own_endpoint(),
            credentials={"username": "emulator", "password": "emulator"},
        )
        owner_file().parent.mkdir(parents=True, exist_ok=True)
        owner_file().write_text(json.dumps(identity(account)))
    return account


def owner_file() -> Path:
    """Return the file beside the emulated cloud's state that names the account it owns."""
    return settings.EMULATOR_STATE.with_suffix(".account.json")


def identity(account: CloudAccount) -> dict[str, Any]:
    """Return a text that differs for the accounts of other databases, and once this account was changed elsewhere."""
    return {"id": account.pk, "created_at": account.created_at.isoformat(), "endpoint": account.endpoint}


def is_own(account: CloudAccount) -> bool:
    """Tell whether the account belongs to this folder's emulated cloud.

    Where an older version has left no note of it, it does when the database is a file of this folder.
    """
    try:
        return bool(json.loads(owner_file().read_text()) == identity(account))
    except (OSError, ValueError):
        database = settings.DATABASES["default"]
        return "sqlite3" in database["ENGINE"] and Path(database["NAME"]).parent == settings.EMULATOR_STATE.parent
