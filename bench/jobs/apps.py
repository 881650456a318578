"""The benchmark's own app: the peers' table, and our kind that ends at once."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Register the instant kind."""

    name = "bench.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Register what `bench.peers.ours` submits."""
        from apps.operations.registry import Kind, register
        from apps.operations.steps import Done

        register([Kind(name="bench.instant", title="End at once", run=lambda context: Done({"answer": 42}))])
