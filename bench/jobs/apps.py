"""The benchmark's own app: the peers' table, and our kind that ends at once."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Register the instant kind."""

    name = "bench.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Register what `bench.peers.ours` submits."""
        from apps.operations import services
        from apps.operations.handler_api import Done
        from apps.operations.registry import OperationKind, register_kinds
        from apps.workspaces.services import workspace_named

        def submit(*, workspace: str, actor: Any, number: int, parent: Any = None) -> Any:
            """Submit a step of `bench.workflows`."""
            place = parent.workspace if parent else workspace_named(workspace)
            params = {"number": number}
            return services.submit(kind="bench.step", workspace=place, actor=actor, params=params, parent=parent)

        register_kinds(
            [
                OperationKind(name="bench.instant", title="End at once", run=lambda context: Done({"answer": 42})),
                OperationKind(
                    name="bench.step", title="A step", run=lambda context: Done({"answer": 42}), submit=submit
                ),
            ]
        )
