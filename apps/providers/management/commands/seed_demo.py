"""Set up a workspace to try the service in: `production`, with the emulated cloud as its UpCloud, and containers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.providers import services
from apps.providers.emulator import containers
from apps.providers.models import Account
from apps.workspaces.models import Workspace
from apps.workspaces.services import create_workspace


class Command(BaseCommand):
    help = (
        "Create workspace production, with the emulated UpCloud and this machine's containers; again, nothing changes."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMULATOR:
            raise CommandError("The emulated cloud is not mounted here: seed_demo is for ENVIRONMENT=development.")
        if not Workspace.objects.filter(name="production").exists():
            first = not Workspace.objects.filter(active=True).exists()
            create_workspace(name="production", path="/opt/workspaces/production", activate=first)
        endpoint = f"http://127.0.0.1:{settings.PORT}/emulator/1.3"
        mine = Account.objects.filter(provider="upcloud", name="default", workspace=None)
        if not mine.exists() or mine.filter(endpoint__contains="/emulator/").exclude(endpoint=endpoint).exists():
            services.register_account(
                provider="upcloud",
                name="default",
                endpoint=endpoint,
                credentials={"username": "emulator", "password": "emulator"},
            )
        if not Account.objects.filter(provider="local", workspace=None).exists():
            services.register_account(provider="local", name="default", endpoint="", credentials={})
        self.stdout.write(f"workspace production, provider upcloud at {endpoint} (emulated), provider local")
        self.stdout.write(f"machines of the emulated cloud: {containers.tidy()}")
