"""Figures for Prometheus: states counted in the database, times measured where the work is done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Count
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from apps.operations import nodes
from apps.operations.models import Operation

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
CLAIMED = Histogram(
    "provisioning_operation_claim_seconds", "From submission to the first step.", ["kind"], buckets=SECONDS
)
RUN = Histogram(
    "provisioning_operation_run_seconds", "From the first step to the end.", ["kind", "status"], buckets=SECONDS
)


def observe_begin(operation: Operation) -> None:
    """Measure how long an operation has waited for its first step."""
    if operation.started_at is not None:
        _series(CLAIMED, operation.kind).observe(seconds(operation.created_at, operation.started_at))


def observe_end(operation: Operation, status: str) -> None:
    """Measure how long an operation took."""
    if operation.started_at is not None:
        _series(RUN, operation.kind, str(status)).observe(seconds(operation.started_at, timezone.now()))


@cache
def _series(histogram: Histogram, *labels: str) -> Histogram:
    """Return the one series of these labels."""
    return histogram.labels(*labels)


def seconds(begin: datetime, end: datetime) -> float:
    """Return the time between; clocks that disagree do not make it negative."""
    return max(0.0, (end - begin).total_seconds())


class Collector:
    """What the database knows at the moment of asking."""

    def collect(self) -> Iterator[Any]:
        """Yield the gauges."""
        states = GaugeMetricFamily("provisioning_operations", "Operations.", labels=["kind", "status"])
        for row in Operation.objects.order_by().values("kind", "status").annotate(count=Count("pk")):
            states.add_metric([row["kind"], row["status"]], row["count"])
        yield states
        due = Operation.objects.unfinished().filter(due_at__lte=Now()).count()
        yield GaugeMetricFamily("provisioning_queue_depth", "Operations due and not taken.", value=due)
        oldest = nodes.oldest_due_seconds()
        yield GaugeMetricFamily("provisioning_oldest_due_seconds", "Age of the oldest of them.", value=oldest)
        live = sum(nodes.live().values_list("workers", flat=True))
        yield GaugeMetricFamily("provisioning_live_workers", "Worker processes of live nodes.", value=live)


def text() -> bytes:
    """Return everything in Prometheus' text format; times are those measured on this node."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    registry.register(Collector())
    return generate_latest(registry)
