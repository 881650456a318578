"""GET /v1/inventory: the fleet in the shape of an Ansible inventory script's answer."""

import re
import time

import pytest

from apps.servers.models import Server
from tests.refusals import refused
from tests.servers.fleet import installed, machine
from tests.system.lists import make_servers

pytestmark = pytest.mark.django_db
PATH = "/v1/inventory"


@pytest.fixture
def inventory(api, bob):
    def get(query=""):
        answer = api(bob).get(PATH + query)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json"), answer.content
        return answer.json()

    return get


def groups(inventory):
    return {name: group["hosts"] for name, group in inventory.items() if name != "_meta"}


def test_it_has_the_exact_shape_of_a_script_s_list(inventory):
    server = machine("web-01", ip_address="10.0.0.7", ssh_port=2222, tags=["web", "eu:north"], emulated=True)
    installed("nginx", server)
    assert inventory() == {
        "_meta": {
            "hostvars": {
                "production.web-01": {
                    "ansible_host": "10.0.0.7",
                    "ansible_port": 2222,
                    "ansible_user": "root",
                    "provisioning_id": server.id,
                    "provisioning_hostname": "web-01",
                    "provisioning_workspace": "production",
                    "provisioning_account": "default",
                    "provisioning_provider": "upcloud",
                    "provisioning_plan": "2xCPU-4GB",
                    "provisioning_zone": "de-fra1",
                    "provisioning_status": "running",
                    "provisioning_tags": ["web", "eu:north"],
                    "provisioning_emulated": True,
                    "provisioning_taskservs": ["nginx"],
                }
            }
        },
        "plan_2xCPU_4GB": {"hosts": ["production.web-01"]},
        "provider_upcloud": {"hosts": ["production.web-01"]},
        "status_running": {"hosts": ["production.web-01"]},
        "tag_eu_north": {"hosts": ["production.web-01"]},
        "tag_web": {"hosts": ["production.web-01"]},
        "taskserv_nginx": {"hosts": ["production.web-01"]},
        "workspace_production": {"hosts": ["production.web-01"]},
        "zone_de_fra1": {"hosts": ["production.web-01"]},
    }


def test_it_is_an_inventory_when_there_is_nothing(inventory, workspace):
    assert inventory() == inventory("?workspace=production") == {"_meta": {"hostvars": {}}}


def test_it_leaves_out_a_server_without_an_address(inventory):
    machine("web-01", tags=["web"])
    machine("web-02", tags=["db"], status="pending", ip_address=None)
    found = inventory()
    assert list(found["_meta"]["hostvars"]) == ["production.web-01"]
    assert "tag_db" not in found and "status_pending" not in found


def test_it_says_that_a_container_stands_behind_an_emulated_server(inventory):
    machine("web-01", emulated=True, backed=True)
    assert inventory()["_meta"]["hostvars"]["production.web-01"]["provisioning_emulated"] is False


def test_it_distinguishes_servers_of_the_same_name_in_two_workspaces(inventory):
    machine("web-01", ip_address="10.0.0.1")
    machine("web-01", workspace="staging", ip_address="10.0.0.2")
    hosts = inventory()["_meta"]["hostvars"]
    assert {name: facts["ansible_host"] for name, facts in hosts.items()} == {
        "production.web-01": "10.0.0.1",
        "staging.web-01": "10.0.0.2",
    }


def test_it_names_hosts_by_their_host_names_in_one_workspace(inventory):
    machine("web-01")
    machine("web-01", workspace="staging", ip_address="10.0.0.2", tags=["web"])
    found = inventory("?workspace=staging")
    assert found["_meta"]["hostvars"]["web-01"]["ansible_host"] == "10.0.0.2"
    assert groups(found)["tag_web"] == groups(found)["workspace_staging"] == ["web-01"]
    assert "workspace_production" not in found


def test_it_never_lets_one_group_mean_two_tags(inventory):
    machine("web-01", tags=["a-b"])
    machine("web-02", tags=["a.b"])
    machine("web-03", tags=["a_b", "plain"])
    found = {name: hosts for name, hosts in groups(inventory()).items() if name.startswith("tag_")}
    assert found.pop("tag_plain") == ["production.web-03"]
    assert sorted(found.values()) == [["production.web-01"], ["production.web-02"], ["production.web-03"]]
    assert all(re.fullmatch(r"tag_a_b_[0-9a-f]{8}", name) for name in found)


def test_it_names_groups_with_letters_digits_and_underscores_only(inventory):
    machine("web-01", workspace="team-a", plan="GP/2.4 (x)", zone="us-east-1a", tags=["a/b=c@d:e.f-g"])
    names = set(groups(inventory()))
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in names)
    assert {"workspace_team_a", "plan_GP_2_4__x_", "zone_us_east_1a", "tag_a_b_c_d_e_f_g"} <= names


def test_it_groups_by_what_is_installed_and_works(inventory):
    first, second = machine("web-01"), machine("web-02")
    installed("nginx", first, second)
    installed("redis", second, status="failed")
    found = inventory()
    assert found["taskserv_nginx"]["hosts"] == ["production.web-01", "production.web-02"]
    assert "taskserv_redis" not in found


def test_it_costs_four_queries_however_many_servers(api, bob, workspace, django_assert_num_queries):
    caller = api(bob)
    servers = [machine(f"web-{number:02}", tags=[f"tag-{number}"]) for number in range(30)]
    installed("nginx", *servers)
    with django_assert_num_queries(3):
        assert caller.get(PATH).status_code == 200
    with django_assert_num_queries(4):
        assert caller.get(PATH + "?workspace=production").status_code == 200


def test_it_lists_ten_thousand_servers_within_seconds(inventory):
    make_servers(10_000, ip_address="10.0.0.1", tags=["web", "production"])
    begin = time.monotonic()
    found = inventory()
    took = time.monotonic() - begin
    assert took < 5, took
    assert len(found["_meta"]["hostvars"]) == len(found["tag_web"]["hosts"]) == Server.objects.count() == 10_000


def test_it_refuses_what_it_does_not_know(api, bob, workspace):
    refused(api(bob).get(PATH + "?workspace=nowhere"), 400, "VALIDATION_ERROR", field="workspace")
    refused(api(bob).get(PATH + "?tag=web"), 400, "VALIDATION_ERROR", field="tag")


def test_it_needs_the_permission_to_read_servers(api, charlie):
    assert "server_read" in refused(api(charlie).get(PATH), 403, "FORBIDDEN")["message"]
    refused(api().get(PATH), 401, "UNAUTHORIZED")
