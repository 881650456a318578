"""How many runs of Ansible are queued and under way, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily

from apps.taskservs.ansible.runs import unfinished_runs

STATES = ("queued", "running")


def gauges() -> Iterator[GaugeMetricFamily]:
    """Yield the gauges."""
    counts = dict(unfinished_runs().order_by().values_list("state").annotate(Count("pk")))
    runs = GaugeMetricFamily("provisioning_ansible_runs", "Runs of Ansible that are not over.", labels=["state"])
    for state in STATES:
        runs.add_metric([state], counts.get(state, 0))
    yield runs
