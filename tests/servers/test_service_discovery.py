"""GET /v1/sd/prometheus: running servers as Prometheus' HTTP service discovery reads them."""

import re

import pytest

from tests.refusals import refused
from tests.servers.fleet import installed, machine

pytestmark = pytest.mark.django_db
PATH = "/v1/sd/prometheus"


@pytest.fixture
def targets(api, bob):
    def get(query=""):
        answer = api(bob).get(PATH + query)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json"), answer.content
        return answer.json()

    return get


def test_it_has_the_exact_shape_of_target_groups(targets):
    server = machine("web-01", ip_address="10.0.0.7", tags=["web", "eu:north"])
    installed("nginx", server)
    assert targets() == [
        {
            "targets": ["10.0.0.7:9100"],
            "labels": {
                "__meta_provisioning_id": server.id,
                "__meta_provisioning_hostname": "web-01",
                "__meta_provisioning_workspace": "production",
                "__meta_provisioning_account": "default",
                "__meta_provisioning_provider": "upcloud",
                "__meta_provisioning_plan": "2xCPU-4GB",
                "__meta_provisioning_zone": "de-fra1",
                "__meta_provisioning_tags": ",web,eu:north,",
                "__meta_provisioning_emulated": "false",
                "__meta_provisioning_taskservs": ",nginx,",
            },
        }
    ]


def test_it_is_an_empty_list_when_nothing_runs(targets):
    machine("web-01", status="stopped")
    machine("web-02", status="pending", ip_address=None)
    machine("web-03", ip_address=None)
    assert targets() == []


def test_it_has_labels_that_prometheus_takes(targets):
    machine("web-01", emulated=True)
    [group] = targets()
    assert all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in group["labels"])
    assert all(type(value) is str for value in group["labels"].values())
    assert group["labels"]["__meta_provisioning_tags"] == ""
    assert group["labels"]["__meta_provisioning_emulated"] == "true"


def test_it_takes_another_port_and_puts_brackets_around_ipv6(targets):
    machine("web-01")
    machine("web-02", ip_address="2001:db8::1")
    assert [group["targets"] for group in targets("?port=9256")] == [["10.0.0.1:9256"], ["[2001:db8::1]:9256"]]


def test_it_picks_a_workspace(targets):
    machine("web-01")
    machine("web-01", workspace="staging", ip_address="10.0.0.2")
    assert [group["targets"] for group in targets("?workspace=staging")] == [["10.0.0.2:9100"]]


def test_it_costs_three_queries_however_many_servers(api, bob, django_assert_num_queries):
    caller = api(bob)
    installed("nginx", *[machine(f"web-{number:02}") for number in range(30)])
    with django_assert_num_queries(3):
        assert len(caller.get(PATH).json()) == 30


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_it_refuses_an_impossible_port(port, api, bob):
    refused(api(bob).get(f"{PATH}?port={port}"), 400, "VALIDATION_ERROR", field="port")


def test_it_refuses_what_it_does_not_know(api, bob):
    refused(api(bob).get(PATH + "?workspace=nowhere"), 400, "VALIDATION_ERROR", field="workspace")
    refused(api(bob).get(PATH + "?zone=de-fra1"), 400, "VALIDATION_ERROR", field="zone")


def test_it_needs_the_permission_to_read_servers(api, charlie):
    assert "server_read" in refused(api(charlie).get(PATH), 403, "FORBIDDEN")["message"]
    refused(api().get(PATH), 401, "UNAUTHORIZED")
