"""Run the web server, as a deployment does."""

from __future__ import annotations

from argparse import ArgumentParser
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.system.web.server import PROCESSES, port_fault, serve


class Command(BaseCommand):
    help = "Serve the API and the admin site on the port that PORT gives, until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []  # a deployment runs `check --deploy` before

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--host", type=ip_address, default="127.0.0.1", help="the IP address to listen on; 127.0.0.1 by default"
        )
        parser.add_argument(
            "--processes",
            type=int,
            default=PROCESSES,
            help=f"how many processes answer requests; {PROCESSES} by default",
        )

    def handle(self, *args: Any, host: IPv4Address | IPv6Address, processes: int, **options: Any) -> None:
        if processes < 1:
            raise CommandError(f"--processes is {processes}; it must be at least 1.")
        if fault := port_fault(str(host), settings.PORT, command="python manage.py web"):
            raise CommandError(fault)
        serve(host=str(host), port=settings.PORT, processes=processes)
