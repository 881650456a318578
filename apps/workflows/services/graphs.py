"""Graphs and pictures of workflows and of workflow types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.utils import timezone

from apps.operations import registry
from apps.operations.models import Operation
from apps.workflows.definition import Definition, pinned
from apps.workflows.drawing import draw
from apps.workflows.graph import dot_of, graph_of
from apps.workflows.models import Step, Workflow

ROW = ("position", "status", "rollback", "started_at", "ended_at", "operation_id")


def graph_of_workflow(operation: Operation) -> dict[str, Any]:
    """Return the graph of a workflow as it stands."""
    workflow = Workflow.objects.get(pk=operation.pk)
    definition = pinned(orjson.dumps(workflow.definition))
    rows = Step.objects.filter(workflow=operation.pk).order_by("position", "index").values(*ROW)
    return graph_of(definition, rows, timezone.now().replace(microsecond=0))


def svg_of_workflow(operation: Operation, links: Mapping[str, str] | None = None) -> bytes:
    """Return the picture of a workflow as it stands; `links` are the addresses of its steps, by name.

    Raises GraphTooLarge, GraphvizMissing, GraphvizBusy, GraphvizFailed.
    """
    return svg(graph_of_workflow(operation), links)


def svg_of_definition(definition: Definition) -> bytes:
    """Return the picture of a workflow type. Raises GraphTooLarge, GraphvizMissing, GraphvizBusy, GraphvizFailed."""
    return svg(graph_of(definition), None)


def svg(graph: dict[str, Any], links: Mapping[str, str] | None) -> bytes:
    """Return the picture of a graph."""
    titles = {name: kind.title for name, kind in registry.kinds().items()}
    return draw(dot_of(graph, links or {}, titles), len(graph["nodes"]))
