"""Replacing the primary of a cluster; here on emulated machines."""

import pytest

from apps.operations.models import Event, Operation
from apps.servers.models import Server
from apps.taskservs.catalog_loader import definition_named
from apps.taskservs.models import Installation
from apps.taskservs.services import installations


def roles(id):
    return dict(Installation.objects.filter(taskserv=id).values_list("server__hostname", "role"))


def files_run(kind):
    """What was done by operations of a kind: hosts and files, in order."""
    facts = [event.data for event in Event.objects.filter(operation__kind=kind).order_by("operation", "seq")]
    return [f"{each['server']} {each['file']}" for each in facts if "file" in each]


@pytest.mark.parametrize("name", ["postgres", "redis", "mariadb"])
@pytest.mark.parametrize(
    ("status", "order"),
    [
        (
            "running",
            ["web-03 install", "web-01 demote", "web-02 promote", "web-01 leave", "web-01 remove", "web-03 configure"],
        ),
        ("stopped", ["web-02 promote", "web-03 install", "web-03 configure"]),
    ],
)
def test_the_first_role_is_handed_over_in_order(install, changed, web_01, web_02, machine, name, status, order):
    machine("web-03")
    assert {"demote", "promote"} <= set(definition_named(name).tasks)
    id = install(name, ["web-01", "web-02"])
    Server.objects.filter(pk=web_01.pk).update(status=status)
    changed(id, servers=["web-02", "web-03"])
    seen = files_run("taskserv.configure")
    rest = iter(seen)
    known = definition_named(name).tasks
    assert all(each in rest for each in order if each.split()[1] in known), seen
    assert any(each.startswith("web-01") for each in seen) == (status == "running")
    assert roles(id) == {"web-02": "primary", "web-03": "replica"}


def test_a_primary_that_came_gives_its_data_back_before_it_goes(
    install, change, step, api, alice, web_01, web_02, run_worker
):
    id = install("postgres", ["web-01"])
    answer = change(id, servers=["web-02"])
    while not Installation.objects.filter(server=web_02, role="primary").exists():
        step(answer)
    api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")
    run_worker()
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert (operation.status, operation.error) == ("cancelled", None)
    seen = files_run(operation.kind)
    rest = iter(seen[seen.index("web-02 promote") + 1 :])
    order = ["web-01 configure", "web-01 verify", "web-02 demote", "web-01 promote", "web-02 remove", "web-01 verify"]
    assert all(each in rest for each in order), seen
    assert roles(id) == {"web-01": "primary"}
    assert set(Installation.objects.values_list("state", flat=True)) == {"running"}


@pytest.mark.parametrize("name", ["postgres", "redis", "mariadb"])
def test_the_primary_is_configured_first_wherever_it_is_among_the_members(install, changed, web_01, web_02, name):
    id = install(name, ["web-01", "web-02"])
    installations.note_promoted(id, web_02.id, definition_named(name).roles)
    changed(id, config={"port": 6000})
    seen = files_run("taskserv.configure")
    assert seen.index("web-02 configure") < seen.index("web-01 configure"), seen


@pytest.mark.parametrize("name", ["postgres", "redis", "mariadb"])
def test_the_primary_is_configured_first_when_a_change_is_taken_back(
    install, change, step, api, alice, web_01, web_02, run_worker, name
):
    id = install(name, ["web-01", "web-02"])
    installations.note_promoted(id, web_02.id, definition_named(name).roles)
    answer = change(id, config={"port": 6001})
    step(answer)
    begun = len(files_run("taskserv.configure"))
    api(alice).post(f"/v1/operations/{answer.json()['id']}/cancel")
    run_worker()
    undone = files_run("taskserv.configure")[begun:]
    assert undone.index("web-02 configure") < undone.index("web-01 configure"), undone


def test_a_primary_that_is_still_to_be_installed_comes_before_its_replicas(install, changed, web_01, web_02):
    id = install("postgres", ["web-01", "web-02"])
    Installation.objects.filter(server=web_01).update(state="failed", version="")
    changed(id, config={"port": 6000})
    seen = files_run("taskserv.configure")
    assert seen.index("web-01 install") < seen.index("web-02 configure"), seen
