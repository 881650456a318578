"""Check mode of workflows, and running exactly what was previewed."""

import pytest

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.workflows.models import Step, Workflow
from tests.refusals import refused
from tests.workflows.conftest import step

CLUSTER = {"workspace": "production", "workflow_type": "cluster_create"}
CLUSTER["parameters"] = {"cluster_name": "k8s-prod", "node_count": 3}
BOTH = pytest.mark.parametrize("path", ["/v1/workflows/submit", "/v1/workflows"])


@BOTH
def test_it_shows_waves_changes_price_and_permissions_and_creates_nothing(api, dora, account, path):
    before = Operation.objects.count()
    answer = api(dora).post(path, {**CLUSTER, "check_mode": True}).json()
    assert answer["status"] == "completed"
    result = answer["result"]
    servers, taskservs = result["waves"]
    assert [each["step"] for each in servers] == ["server[0]", "server[1]", "server[2]"]
    assert servers[0]["change"] == "Create server k8s-prod-1 at UpCloud in de-fra1, plan 2xCPU-4GB."
    assert [each["refused"] for each in servers + taskservs] == [None] * 4
    assert taskservs[0]["needs"] == ["server"]
    monthly = servers[0]["price"]["monthly"]
    assert result["price"] == [
        {
            "currency": "EUR",
            "hourly": str(3 * float(servers[0]["price"]["hourly"])),
            "monthly": f"{3 * float(monthly):.2f}",
        }
    ]
    assert result["permissions"] == ["workflow_submit"]
    assert len(result["digest"]) == 64
    assert (Server.objects.count(), Workflow.objects.count(), Step.objects.count()) == (0, 0, 0)
    assert Operation.objects.count() == before + 1


def test_it_says_what_cannot_be_known_yet_and_why(define, api, alice, workspace):
    each = step("each", ["a"], for_each="{{ steps.a.result.items }}", given={"name": "{{ item }}"})
    define("grow", steps=[step("a"), each, step("c", ["a"], given={"data": "{{ steps.a.result.size }}"})])
    body = {"workspace": "production", "workflow_type": "grow", "check_mode": True}
    result = api(alice).post("/v1/workflows", body).json()["result"]
    reasons = {each["step"]: each["reason"] for each in result["unknown"]}
    assert reasons == {
        "each": "how many there are depends on the result of a, known once that has run",
        "c": "it reads the result of a, known once that has run",
    }


def test_it_says_which_step_would_be_refused(api, alice, account, body):
    api(alice).post("/v1/servers/create", {**body, "hostname": "k8s-prod-2"})
    result = api(alice).post("/v1/workflows", {**CLUSTER, "check_mode": True}).json()["result"]
    refusals = [each["refused"] for each in result["waves"][0]]
    assert refusals[0] is None
    assert "k8s-prod-2" in refusals[1]


@BOTH
def test_a_submit_with_the_digest_runs_exactly_that(api, alice, account, run_worker, path):
    digest = api(alice).post(path, {**CLUSTER, "check_mode": True}).json()["result"]["digest"]
    operation = api(alice).post(path, {**CLUSTER, "digest": digest}).json()
    assert operation["status"] == "pending"
    run_worker()
    assert Operation.objects.get(pk=operation["id"]).status == "completed"


def test_a_submit_with_the_digest_is_refused_when_something_has_changed(api, alice, account, body):
    digest = api(alice).post("/v1/workflows", {**CLUSTER, "check_mode": True}).json()["result"]["digest"]
    api(alice).post("/v1/servers/create", {**body, "hostname": "k8s-prod-2"})
    error = refused(api(alice).post("/v1/workflows", {**CLUSTER, "digest": digest}), 409)
    assert "step server[1]: refused was null and is" in error["message"]
    other = {**CLUSTER, "parameters": {"cluster_name": "k8s-prod", "node_count": 2}}
    error = refused(api(alice).post("/v1/workflows", {**other, "digest": digest}), 409)
    assert "step server[2] is no longer there" in error["message"]
    assert "parameters.node_count was 3 and is 2" in error["message"]
    assert "price[0].monthly was" in error["message"]
    assert not Workflow.objects.exists()


def test_an_unknown_digest_is_refused(api, alice, account):
    refused(api(alice).post("/v1/workflows", {**CLUSTER, "digest": "0" * 64}), 400, field="digest")


def test_it_hides_secrets(define, api, alice, workspace):
    define("secret", steps=[step("a", given={"data": {"password": "hush"}})])
    body = {"workspace": "production", "workflow_type": "secret", "check_mode": True}
    answer = api(alice).post("/v1/workflows", body)
    assert b"hush" not in answer.content


def test_a_submit_with_the_digest_is_refused_when_a_secret_is_another_one(define, api, alice, workspace):
    schema = {"properties": {"token": {"type": "string"}}}
    define("secret", steps=[step("a", given={"data": {"size": "{{ parameters.token }}"}})], parameters=schema)
    body = {"workspace": "production", "workflow_type": "secret", "parameters": {"token": "first-secret"}}
    result = api(alice).post("/v1/workflows", {**body, "check_mode": True}).json()["result"]
    again = api(alice).post("/v1/workflows", {**body, "check_mode": True}).json()["result"]
    assert result["digest"] == again["digest"]
    other = {**body, "parameters": {"token": "other-secret"}, "digest": result["digest"]}
    error = refused(api(alice).post("/v1/workflows", other), 409)
    assert "a secret value is another one" in error["message"]
    assert api(alice).post("/v1/workflows", {**body, "digest": result["digest"]}).status_code == 200


def test_a_preview_is_an_operation_and_no_workflow(api, alice, account):
    caller = api(alice)
    id = caller.post("/v1/workflows", {**CLUSTER, "check_mode": True}).json()["id"]
    assert caller.get(f"/v1/operations/{id}").status_code == 200
    assert caller.get("/v1/workflows").json() == []
    for path in ("", "/steps", "/details", "/graph.json", "/graph.svg"):
        refused(caller.get(f"/v1/workflows/{id}{path}"), 404)
    for path in ("cancel", "resume", "rollback", "approve"):
        refused(caller.post(f"/v1/workflows/{id}/{path}", {}), 404)
