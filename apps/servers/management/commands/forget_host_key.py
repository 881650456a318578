"""Forget the SSH host key that is pinned for a server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.servers.models import Server
from apps.servers.services.host_keys import forget_host_key


class Command(BaseCommand):
    help = "Forget a server's pinned SSH host key; the next contact trusts and pins the one that it presents then."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("server_id", help="the server's id, such as srv-abc123")

    def handle(self, *args: Any, **options: Any) -> None:
        id = options["server_id"]
        if not Server.objects.filter(pk=id).exists():
            raise CommandError(f"There is no server {id}.")
        if not forget_host_key(id):
            raise CommandError(f"No SSH host key is pinned for {id}.")
        self.stdout.write(f"The SSH host key of {id} is forgotten; the next contact pins the one it presents.")
