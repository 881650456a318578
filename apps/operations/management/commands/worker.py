"""Run the worker: a django-q2 cluster that takes operations from our table."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.operations.cluster.process import serve


class Command(BaseCommand):
    help = "Take operations and do them, until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        serve()
