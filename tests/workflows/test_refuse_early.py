"""What is certain to refuse a step is told when a workflow is submitted, before anything that costs money is made."""

import time

import pytest

from apps.operations.models import Operation
from apps.system.errors import NotFound
from apps.workflows.definition import build
from apps.workflows.definitions import definitions
from apps.workflows.models import Workflow
from apps.workflows.services.call_cache import CallCache
from tests.refusals import refused
from tests.workflows.conftest import step

CLUSTER = {"cluster_name": "kv", "node_count": 3}
BATCH = {"name": "batch", "workflow": "servers_create", "with": {"hostnames": ["a-1", "a-2"]}}


@pytest.fixture
def post(api, alice, workspace):
    """Submit a workflow, or preview it."""

    def posted(type, parameters=None, **more):
        body = {"workspace": "production", "workflow_type": type, "parameters": parameters or {}, **more}
        return api(alice).post("/v1/workflows", body)

    return posted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"node_count": 50, "taskserv": "etcd"}, "etcd takes"),
        ({"node_count": 4, "taskserv": "etcd"}, "etcd takes"),
        ({"plan": "9xCPU"}, "Step server[0] (server.create) would be refused: upcloud has no plan 9xCPU."),
        ({"provider": "gcp"}, "no account at a provider gcp"),
        ({"zone": "mars"}, "mars"),
    ],
    ids=["servers", "even", "plan", "provider", "zone"],
)
def test_a_cluster_that_could_not_be_made_is_not_begun(post, account, given, said):
    answer = refused(post("cluster_create", CLUSTER | given), 400, field="parameters")
    assert said in answer["message"]
    assert not Operation.objects.filter(kind="workflow.run").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workflow": "nowhere"}, "There is no workflow type nowhere"),
        ({"with": {"hostname": "a-1"}}, "parameters.hostname: Unknown parameter"),
        (
            {"with": {"hostnames": ["a-1"], "plan": "9xCPU"}},
            "server[0] (server.create) would be refused: upcloud has",
        ),
        ({"workflow": "outer", "with": {}}, "outer → outer"),
    ],
    ids=["type", "parameters", "step", "itself"],
)
def test_a_workflow_inside_that_could_not_run_is_told(post, define, account, change, said):
    define("outer", steps=[step("a"), BATCH | change | {"needs": ["a"]}])
    answer = refused(post("outer"), 400, field="parameters")
    assert said in answer["message"] and "Step batch (workflow.run) would be refused" in answer["message"]
    [[_], [told]] = post("outer", check_mode=True).json()["result"]["waves"]
    assert said.partition("would be refused: ")[2] in told["refused"]
    assert not Workflow.objects.exists()


@pytest.mark.parametrize("value", ["many", 0, 1.5, None, True])
@pytest.mark.parametrize("where", ["workflow", "step", "inside"])
def test_a_limit_that_is_none_is_told(post, define, workspace, where, value):
    limit = {"max_parallel": "{{ parameters.limit }}"}
    define(
        "inner",
        parameters={"properties": {"limit": {}}},
        steps=[step("a", **(limit if where == "step" else {}))],
        **(limit if where != "step" else {}),
    )
    inside = {"name": "run", "workflow": "inner", "with": {"limit": value}}
    define("outer", steps=[inside])
    answer = refused(post("outer") if where == "inside" else post("inner", {"limit": value}), 400, field="parameters")
    assert f"{{{{ parameters.limit }}}} is {value!r}, no whole number from 1" in answer["message"]
    assert not Workflow.objects.exists()


def test_a_preview_has_the_price_of_workflows_inside(post, define, account):
    define("outer", steps=[BATCH])
    single = post("servers_create", BATCH["with"], check_mode=True).json()["result"]
    result = post("outer", check_mode=True).json()["result"]
    assert result["price"] == single["price"] != []
    assert result["waves"][0][0]["inside"]["waves"] == single["waves"]


def test_a_digest_notices_that_a_workflow_inside_has_changed(post, define, workspace):
    define("inner", steps=[step("a")])
    define("outer", steps=[{"name": "i", "workflow": "inner"}])
    digest = post("outer", check_mode=True).json()["result"]["digest"]
    define("inner", steps=[step("b")])
    answer = refused(post("outer", digest=digest), 409)
    assert "waves" in answer["message"] and not Workflow.objects.exists()


def test_what_changes_something_is_looked_at_when_it_begins(post, define, run_worker, workspace):
    define("make", target="thing", effect="create", steps=[step("a")])
    define("change", target="thing", effect="change", steps=[step("b", given={"data": "{{ existing }}"})])
    parts = [{"name": "m", "workflow": "make"}, {"name": "c", "workflow": "change", "needs": ["m"]}]
    define("both", steps=parts)
    told = post("both", check_mode=True).json()["result"]["waves"][1][0]
    assert told["refused"] is None and "when it begins" in told["inside"]["unknown"][0]["reason"]
    operation = post("both").json()
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).status == "completed"


def test_a_kind_is_asked_once_for_what_is_the_same_to_it():
    asked, cache = [], CallCache()

    def price(*, plan, **others):
        asked.append(plan)
        if plan == "none":
            raise NotFound(what="plan", id=plan)
        return plan.upper()

    assert [cache.call(price, {"plan": "small", "hostname": f"a-{n}"}) for n in range(3)] == ["SMALL"] * 3
    for _ in range(2):
        with pytest.raises(NotFound):
            cache.call(price, {"plan": "none"})
    assert asked == ["small", "none"]


LONG = {"properties": {"text": {"type": "string", "default": "a-" * 5000}}}
EVALUATED = "{{ range(20000) | list | sort | sort | sort | length }}"
PATTERNS = [{"pattern": f"(a|b){{1,100}}c{number}"} for number in range(20)]
LIST = {"default": ["a" * 200] * 2000, "items": {"allOf": PATTERNS}}


@pytest.mark.parametrize(
    "costly",
    [
        {"steps": [step("a", given={"data": [EVALUATED] * 4000})]},
        {"steps": [step("a", given={"data": ["{{ parameters.text }}"] * 4000})], "parameters": LONG},
        {"steps": [step("a", given={"data": "x" * 100_000}, for_each="{{ range(2000) | list }}")]},
        {"steps": [step("a", for_each="{{ range(2000) | list }}", when="{{ range(30000) | list | length > 1 }}")]},
        {"steps": [step("a")], "parameters": {"properties": {"list": LIST}}},
    ],
    ids=["expressions", "results", "literals", "conditions", "patterns"],
)
def test_the_costliest_submissions_are_refused_soon(post, alice, costly):
    definitions()["costly"] = build({"title": "Costly", **costly})
    try:
        began = time.process_time()
        refused(post("costly", check_mode=True), 400)
        assert time.process_time() - began < 3  # 0.9 s at most where nothing else runs
    finally:
        definitions().pop("costly")


def test_a_thousand_operations_are_no_great_work(post, define, workspace):
    given = {"data": {key: f"{{{{ parameters.name ~ '-{key}' }}}}" for key in "abcde"}}
    many = step("a", for_each="{{ range(1000) | list }}", given={"name": "{{ item }}", **given})
    define("many", parameters={"properties": {"name": {"type": "string", "default": "x"}}}, steps=[many])
    began = time.process_time()
    digest = post("many", check_mode=True).json()["result"]["digest"]
    assert post("many", digest=digest).status_code == 200
    assert time.process_time() - began < 4  # 0.4 s where nothing else runs
