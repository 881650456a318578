"""Graphs and pictures: states, durations, the critical path, links, and what happens without Graphviz."""

import os
import shutil
import sys
import threading
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.workflows import drawing
from apps.workflows.definition import parse
from apps.workflows.definitions import definitions
from apps.workflows.graph import dot_of, graph_of, quoted
from apps.workflows.models import Step
from tests.refusals import refused
from tests.workflows.conftest import step
from tests.workflows.running import run_one

SVG = "{http://www.w3.org/2000/svg}"
TITLES = {"server.create": "Create a server"}
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
needs_graphviz = pytest.mark.skipif(
    not shutil.which("dot") and not (Path(sys.executable).parent / "graphviz-pure").exists(),
    reason="neither dot nor graphviz-pure is installed",
)


def row(position, status, start=None, end=None, rollback=""):
    at = lambda seconds: None if seconds is None else NOW + timedelta(seconds=seconds)  # noqa: E731
    times = {"started_at": at(start), "ended_at": at(end)}
    return {"position": position, "status": status, "rollback": rollback, **times, "operation_id": None}


DIAMOND = parse(
    {
        "title": "t",
        "steps": [
            step("a"),
            step("b", ["a"]),
            step("c", ["a"]),
            step("d", ["b", "c"]),
            step("e", [{"step": "d", "outcome": "failure"}]),
        ],
    }
)


def test_it_has_states_durations_and_the_critical_path():
    rows = [row(0, "completed", 0, 5), row(1, "completed", 5, 6), row(2, "completed", 5, 20), row(3, "running", 20)]
    graph = graph_of(DIAMOND, [*rows, row(4, "waiting")], NOW + timedelta(seconds=30))
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert [nodes[name]["seconds"] for name in "abcde"] == [5.0, 1.0, 15.0, 10.0, None]
    assert graph["critical_path"] == ["a", "c", "d"]
    assert {"from": "d", "to": "e", "outcome": "failure"} in graph["edges"]


def test_a_step_of_many_is_one_node():
    what = parse({"title": "t", "steps": [step("many", for_each=[1, 2, 3])]})
    [node] = graph_of(what, [row(0, "completed", 0, 1), row(0, "failed", 0, 2), row(0, "running", 1)], NOW)["nodes"]
    assert (node["status"], node["count"], node["counts"]["completed"]) == ("failed", 3, 1)


def drawn(graph, links=None):
    return ElementTree.fromstring(drawing.draw(dot_of(graph, links or {}, TITLES), len(graph["nodes"])))


@needs_graphviz
def test_the_picture_shows_states_as_classes_without_styles():
    graph = graph_of(DIAMOND, [row(0, "completed", 0, 5), row(1, "failed", 5, 6), row(2, "waiting")], NOW)
    picture = drawn(graph, {"a": "/admin/x"})
    groups = {group.get("id"): group.get("class") for group in picture.iter(f"{SVG}g")}
    assert groups["step-a"] == "node step status-completed critical"
    assert groups["step-b"] == "node step status-failed critical"
    assert not any("style" in element.attrib for element in picture.iter())
    assert "/admin/x" in [value for link in picture.iter(f"{SVG}a") for value in link.attrib.values()]
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert "completed, 5.0 s" in texts
    assert "on failure" in texts


@needs_graphviz
@pytest.mark.parametrize(
    ("rollback", "expected"),
    [("completed", "rolled back"), ("running", "being rolled back"), ("failed", "rollback failed")],
)
def test_what_was_taken_back_is_told(rollback, expected):
    graph = graph_of(DIAMOND, [row(0, "completed", 0, 5, rollback), row(1, "failed", 5, 6), row(2, "waiting")], NOW)
    assert [node["rollback"] for node in graph["nodes"]] == [rollback, "", "", "", ""]
    picture = drawn(graph)
    groups = {group.get("id"): group.get("class") for group in picture.iter(f"{SVG}g")}
    assert groups["step-a"] == f"node step status-completed critical rollback-{rollback}"
    assert expected in [text.text for text in picture.iter(f"{SVG}text")]


@needs_graphviz
@pytest.mark.parametrize(
    "nasty", ['"]; evil [label="x', "<script>alert(1)</script>", "a\\", "\\N \\G", "ü × →", "a\nb"]
)
def test_nothing_in_a_text_is_taken_for_graphvizs_own_or_for_markup(nasty):
    graph = graph_of(parse({"title": nasty, "steps": [step("a")]}))
    graph["nodes"][0]["uses"] = nasty
    picture = drawn(graph)
    assert len([group for group in picture.iter(f"{SVG}g") if "node" in (group.get("class") or "").split()]) == 1
    assert not list(picture.iter(f"{SVG}script"))
    assert quoted(nasty).count("\n") == 0


@needs_graphviz
@pytest.mark.parametrize("command", ["dot", "graphviz-pure"])
def test_both_programs_draw(command, monkeypatch):
    if command == "graphviz-pure":
        monkeypatch.setattr(drawing.shutil, "which", lambda name: None)
        if not (Path(sys.executable).parent / "graphviz-pure").exists():
            pytest.skip("the wheel graphviz-pure is not installed")
    elif not shutil.which("dot"):
        pytest.skip("the system has no dot")
    assert command in drawing.program()[0]
    assert drawn(graph_of(DIAMOND)) is not None


@needs_graphviz
@pytest.mark.parametrize("type", sorted(definitions()))
def test_each_shipped_type_has_a_picture(type, api, bob):
    answer = api(bob).get(f"/v1/workflows/types/{type}/graph.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    ids = {group.get("id") for group in ElementTree.fromstring(answer.content).iter(f"{SVG}g")}
    assert {f"step-{each.name}" for each in definitions()[type].steps} <= ids


@needs_graphviz
def test_a_workflow_is_drawn_as_it_stands(define, submit, api, bob, world):
    define("chain", steps=[step("a"), step("b", ["a"])])
    world.held.add("a")
    operation = submit("chain")
    run_one(operation["id"])
    path = f"/v1/workflows/{operation['id']}/graph"
    picture = api(bob).get(f"{path}.svg", HTTP_ACCEPT="image/svg+xml").content.decode()
    child = Step.objects.get(name="a").operation_id
    assert f"/admin/operations/operation/{child}/change/" in picture
    graph = api(bob).get(f"{path}.json").json()
    assert [(node["name"], node["status"]) for node in graph["nodes"]] == [("a", "running"), ("b", "waiting")]
    assert graph["edges"] == [{"from": "a", "to": "b", "outcome": "success"}]


def test_it_is_drawn_once_for_the_same_state(tmp_path):
    log = tmp_path / "calls"
    script = tmp_path / "dot"
    script.write_text(f"#!/bin/sh\necho called >> {log}\ncat > /dev/null\necho '<svg/>'\n")
    script.chmod(0o755)
    for _ in range(3):
        drawing.drawn("digraph { once }", (str(script),))
    assert log.read_text().count("called") == 1


def test_without_graphviz_it_says_what_to_install(monkeypatch, api, bob, tmp_path):
    monkeypatch.setattr(drawing.shutil, "which", lambda name: None)
    monkeypatch.setattr(drawing.sys, "executable", str(tmp_path / "python"))
    body = refused(api(bob).get("/v1/workflows/types/cluster_create/graph.svg"), 503)
    assert "install the package `graphviz`" in body["message"]


def test_a_program_that_fails_is_reported(tmp_path):
    with pytest.raises(drawing.GraphvizFailed):
        drawing.drawn("digraph { x }", ("/bin/false",))


def test_few_requests_wait_for_the_program(tmp_path):
    """Each holds a thread of the web server, and a workflow under way is another graph every second."""
    script, gate = tmp_path / "dot", tmp_path / "gate"
    os.mkfifo(gate)
    lines = os.open(gate, os.O_RDWR)
    script.write_text(f"#!/bin/sh\ncat > /dev/null\nread line < {gate}\necho '<svg/>'\n")
    script.chmod(0o755)
    busy = threading.Semaphore(0)

    def draw(number):
        try:
            return drawing.drawn(f"digraph {{ {number} }}", (str(script),))
        except drawing.GraphvizBusy as refusal:
            busy.release()
            return refusal

    with ThreadPoolExecutor(10) as pool:
        results = [pool.submit(draw, number) for number in range(10)]
        for _ in range(6):
            assert busy.acquire(timeout=drawing.TIME_LIMIT), "more than four wait"
        os.write(lines, b"go\n" * 4)
        found = [result.result() for result in results]
    os.close(lines)
    assert found.count(b"<svg/>\n") == 4
    assert {refusal.headers["Retry-After"] for refusal in found if isinstance(refusal, Exception)} == {"1"}


def test_too_large_a_graph_is_refused():
    with pytest.raises(drawing.GraphTooLarge, match="up to 400"):
        drawing.draw("digraph {}", 401)


def test_the_picture_of_a_type_says_what_its_steps_do(api, bob):
    picture = api(bob).get("/v1/workflows/types/replace_server/graph.svg").content.decode()
    assert "Create a server" in picture and "server.create" not in picture


def test_a_type_has_a_graph_for_programs(api, bob):
    graph = api(bob).get("/v1/workflows/types/replace_server/graph.json").json()
    assert [(node["name"], node["uses"], node["status"]) for node in graph["nodes"]] == [
        ("server", "server.create", ""),
        ("members", "taskserv.configure", ""),
        ("delete", "server.delete", ""),
    ]


@pytest.mark.parametrize("form", ["svg", "json"])
def test_an_unknown_type_is_not_found(form, api, bob):
    refused(api(bob).get(f"/v1/workflows/types/none/graph.{form}"), 404)
