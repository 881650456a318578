"""Run the worker: a django-q2 cluster that takes operations from our table."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.operations.worker.supervisor import serve
from apps.system.forked_process import import_shared
from apps.system.schema_version import SchemaMismatch, refuse_mismatch


class Command(BaseCommand):
    help = "Run operations, until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            refuse_mismatch()
        except SchemaMismatch as mismatch:
            raise CommandError(str(mismatch)) from mismatch
        import_shared()
        serve()
