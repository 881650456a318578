"""The worker process."""

from __future__ import annotations

from django_q.cluster import Cluster


def serve() -> None:
    """Start a cluster and return when it has been told to stop and has stopped."""
    cluster = Cluster()
    cluster.start()
    cluster.sentinel.join()
