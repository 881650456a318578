"""The graph of a workflow, for programs and for pictures: nodes, edges, states, durations, the critical path. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apps.workflows.definition import APPROVE, RUN, WAIT, Definition, StepDefinition

Facts = dict[str, Any]
# The state of a step that stands for many operations is the first of these that one of them has.
ORDER = ("failed", "cancelled", "running", "waiting", "completed", "skipped")
SHAPES = {APPROVE: "diamond", WAIT: "ellipse", RUN: "component"}
# Fill, border and style by state: shape and border tell them apart without colors.
LOOKS = {
    "": ("#ffffff", "#57606a", "filled,rounded"),
    "waiting": ("#ffffff", "#57606a", "filled,rounded,dashed"),
    "running": ("#ddf4ff", "#0969da", "filled,rounded,bold"),
    "completed": ("#dafbe1", "#1a7f37", "filled,rounded"),
    "failed": ("#ffebe9", "#cf222e", "filled,bold"),
    "cancelled": ("#fff8c5", "#9a6700", "filled"),
    "skipped": ("#f6f8fa", "#8c959f", "filled,rounded,dotted"),
}
FAILED_SHAPE = "octagon"
# What was taken back, by how far that has got; the first of these that one of a step's operations has.
TAKEN_BACK = {
    "failed": ("rollback failed", ("#ffebe9", "#cf222e", "filled,bold")),
    "running": ("being rolled back", ("#fff8c5", "#9a6700", "filled,bold")),
    "completed": ("rolled back", ("#f6f8fa", "#9a6700", "filled")),
}
TAKEN_BACK_SHAPE = "larrow"


def graph_of(definition: Definition, rows: Iterable[Mapping[str, Any]] = (), now: datetime | None = None) -> Facts:
    """Return nodes, edges and the critical path of a definition; with the rows of its steps, as a run of it stands.

    A row has `position`, `status`, `rollback`, `started_at`, `ended_at` and `operation_id`.
    """
    by_step: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_step.setdefault(row["position"], []).append(row)
    nodes = [node_of(step, by_step.get(place, []), now) for place, step in enumerate(definition.steps)]
    edges = [
        {"from": need, "to": step.name, "outcome": step.outcomes.get(need, "success")}
        for step in definition.steps
        for need in step.needs
    ]
    path = critical_path(definition, {node["name"]: node for node in nodes})
    for node in nodes:
        node["critical"] = node["name"] in path
    return {"title": definition.title, "nodes": nodes, "edges": edges, "critical_path": path}


def node_of(step: StepDefinition, rows: list[Mapping[str, Any]], now: datetime | None) -> Facts:
    """Return the node of a step: all operations that it stands for, together."""
    counts = Counter(row["status"] for row in rows)
    backs = {row["rollback"] for row in rows}
    starts = [row["started_at"] for row in rows if row["started_at"]]
    ends = [row["ended_at"] for row in rows if row["ended_at"] and row["started_at"]]
    status = next((state for state in ORDER if counts[state]), "")
    ended_at = max(ends, default=None) if status not in ("running", "waiting") else None
    until = ended_at or now
    operations = [str(row["operation_id"]) for row in rows if row["operation_id"]]
    return {
        "name": step.name,
        "uses": step.uses,
        "status": status,
        "count": len(rows) if rows else (None if step.is_many else 1),
        "counts": dict(counts),
        "rollback": next((state for state in TAKEN_BACK if state in backs), ""),
        "started_at": min(starts, default=None),
        "ended_at": ended_at,
        "seconds": max(0.0, round((until - min(starts)).total_seconds(), 1)) if starts and until else None,
        "operation": operations[0] if len(operations) == 1 and len(rows) == 1 else None,
    }


def critical_path(definition: Definition, nodes: Mapping[str, Facts]) -> list[str]:
    """Return the chain of steps that determined when the last one ended, or that still determines it; in order."""
    begun = [step for step in definition.steps if nodes[step.name]["started_at"]]
    steps = {step.name: step for step in begun}
    current = max(begun, key=lambda step: ends_last(nodes[step.name]), default=None)
    path: list[str] = []
    while current is not None:
        path.insert(0, current.name)
        needs = [steps[need] for need in current.needs if need in steps]
        current = max(needs, key=lambda step: ends_last(nodes[step.name]), default=None)
    return path


def ends_last(node: Facts) -> tuple[bool, float]:
    """Return what orders steps by their end; one that goes on ends last, the one that began last first of those."""
    moment = node["ended_at"] or node["started_at"]
    return (node["ended_at"] is None, moment.timestamp())


# ── DOT ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def dot_of(graph: Facts, links: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Return the graph in the DOT language; `links` are the addresses of nodes by step, `titles` those of kinds."""
    lines = [
        "digraph workflow {",
        f'  graph [rankdir=LR, bgcolor="transparent", tooltip={quoted(graph["title"])}, nodesep=0.3, ranksep=0.5];',
        '  node [fontname="Helvetica,Arial,sans-serif", fontsize=11, margin="0.15,0.08", height=0.4];',
        '  edge [color="#57606a", arrowsize=0.7, fontname="Helvetica,Arial,sans-serif", fontsize=9];',
    ]
    path = graph["critical_path"]
    critical = set(zip(path, path[1:], strict=False))
    lines += [
        node_line(node, links.get(node["name"], ""), titles.get(node["uses"], node["uses"])) for node in graph["nodes"]
    ]
    lines += [edge_line(edge, (edge["from"], edge["to"]) in critical) for edge in graph["edges"]]
    return "\n".join([*lines, "}", ""])


def node_line(node: Facts, link: str, title: str) -> str:
    """Return the line of a node; `title` says what its operations do."""
    fill, border, style = TAKEN_BACK[node["rollback"]][1] if node["rollback"] else LOOKS[node["status"]]
    shape = FAILED_SHAPE if node["status"] == "failed" else SHAPES.get(node["uses"], "box")
    shape = TAKEN_BACK_SHAPE if node["rollback"] else shape
    style = style if shape == "box" else style.replace(",rounded", "")
    classes = f"step status-{node['status'] or 'none'}{' critical' if node['critical'] else ''}"
    back = f" rollback-{node['rollback']}" if node["rollback"] else ""
    classes = f"{classes}{back}"
    about = ", ".join(text for text in (f"{node['name']}: {title}", node["status"], told_back(node)) if text)
    attributes = {
        "id": f"step-{node['name']}",
        "label": label_of(node, title),
        "class": classes,
        "shape": shape,
        "style": style,
        "fillcolor": fill,
        "color": border,
        "penwidth": "2.5" if node["critical"] else "1",
        **({"margin": "0.4,0.15"} if shape == TAKEN_BACK_SHAPE else {}),
        "tooltip": about,
        **({"URL": link} if link else {}),
    }
    text = ", ".join(f"{key}={quoted(value)}" for key, value in attributes.items())
    return f"  {quoted(node['name'])} [{text}];"


def label_of(node: Facts, title: str) -> str:
    """Return what is written in a node: the step, how many, how far, how long; for a type, what it does."""
    is_many = node["count"] != 1 or len(node["counts"]) > 1
    lines = [f"{node['name']} × {node['count'] or 'n'}" if is_many else node["name"]]
    if not node["status"]:
        lines.append(title)
    elif is_many:
        lines.append(", ".join(f"{count} {state}" for state, count in sorted(node["counts"].items())))
    else:
        lines.append(node["status"])
    if node["seconds"] is not None:
        lines[-1] += f", {duration(node['seconds'])}"
    lines.append(told_back(node))
    return "\n".join(line for line in lines if line)


def told_back(node: Facts) -> str:
    """Say how far taking back a step has got; empty when nobody has begun that."""
    return TAKEN_BACK[node["rollback"]][0] if node["rollback"] else ""


def edge_line(edge: Facts, is_critical: bool) -> str:
    """Return the line of an edge; one that is not followed upon success says upon what."""
    text = "" if edge["outcome"] == "success" else f"label={quoted('on ' + edge['outcome'])}, style=dashed, "
    text = text.replace("on always", "in any case")
    look = "class=critical, penwidth=2.5" if is_critical else "class=need"
    return f"  {quoted(edge['from'])} -> {quoted(edge['to'])} [{text}{look}];"


def quoted(text: str) -> str:
    """Return a text as a string of DOT: nothing in it is taken for DOT's own."""
    clean = "".join(char for char in text if char >= " " or char == "\n")
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def duration(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
