"""Figures for Prometheus: states counted in the database, times measured where the work is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.operations import registry
from apps.operations.models import Operation
from apps.operations.observability import counters
from apps.operations.worker import nodes
from apps.system import measurements

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
        measurements.TOTALS.expect()
        _series(CLAIMED, operation.kind).observe(seconds(operation.created_at, operation.started_at))


def observe_end(operation: Operation, status: str) -> None:
    """Measure how long an operation took."""
    if operation.started_at is not None:
        measurements.TOTALS.expect()
        _series(RUN, operation.kind, str(status)).observe(seconds(operation.started_at, timezone.now()))


@cache
def _series(histogram: Histogram, *labels: str) -> Histogram:
    """Return the one series of these labels."""
    return histogram.labels(*labels)


def seconds(begin: datetime, end: datetime) -> float:
    """Return the time between; clocks that disagree do not make it negative."""
    return max(0.0, (end - begin).total_seconds())


class DatabaseFigures(Collector):
    """What the database knows at the moment of asking."""

    def collect(self) -> Iterator[Any]:
        """Yield the gauges."""
        states = GaugeMetricFamily(
            "provisioning_operations",
            "Operations; ended ones as counted a minute ago at most.",
            labels=["kind", "status"],
        )
        for labels, count in sorted(counters.by_kind_and_status().items()):
            states.add_metric(labels, count)
        yield states
        due = Operation.objects.unfinished().filter(due_at__lte=Now()).count()
        yield GaugeMetricFamily("provisioning_queue_depth", "Operations due and not taken.", value=due)
        oldest = nodes.oldest_due_seconds()
        yield GaugeMetricFamily("provisioning_oldest_due_seconds", "Age of the oldest claimable one.", value=oldest)
        live = list(nodes.live())
        workers = sum(node.workers for node in live)
        yield GaugeMetricFamily("provisioning_live_workers", "Worker processes of live nodes.", value=workers)
        versions = GaugeMetricFamily("provisioning_live_nodes", "Live nodes by version.", labels=["version"])
        for version, count in sorted(Counter(node.version or "unknown" for node in live).items()):
            versions.add_metric([version], count)
        yield versions
        yield from registry.gauges()


def render() -> bytes:
    """Return everything in Prometheus' text format; times are those measured on this node."""
    return measurements.text(DatabaseFigures())
