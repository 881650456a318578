import threading

import pytest
from django.db import connections

from apps.workspaces.models import Workspace
from tests.refusals import refused


@pytest.fixture
def create(api, root):
    caller = api(root)
    return lambda name="staging", path="/opt/workspaces/staging", **more: caller.post(
        "/v1/workspaces/create", {"name": name, "path": path} | more
    )


def test_it_answers_the_workspace(create):
    answer = create()
    assert answer.status_code == 200
    expected = {"name": "staging", "path": "/opt/workspaces/staging", "active": False, "last_used": None}
    assert list(answer.json().items()) == list(expected.items())


def test_it_lists_it(create, api, root):
    made = create().json()
    assert api(root).get("/v1/workspaces").json() == [made]


@pytest.mark.parametrize("name", ["a", "staging-2", "Team_A", "0", "a" * 63])
def test_it_takes_slugs(name, create):
    assert create(name).json()["name"] == name


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "a.b", "é", "a\n", "../x", "a" * 64, "%61"])
def test_it_refuses_other_names(name, create):
    refused(create(name), 400, "VALIDATION_ERROR", field="name")
    assert not Workspace.objects.exists()


@pytest.mark.parametrize("path", ["/a", "/opt/a-b/c_d/E.f", "/opt/team@home", "/..a", "/a../b", "/" + "a" * 254])
def test_it_takes_absolute_normalized_paths(path, create):
    assert create(path=path).json()["path"] == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "a", "./a", "../a", "~/a", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/..", "/a/..", "/a b", "/a\n",
     "/a;b", "C:\\a", "/" + "a" * 255, "file:///a", "/a/$HOME", "/a/*"],
)  # fmt: skip
def test_it_refuses_other_paths(path, create):
    refused(create(path=path), 400, "VALIDATION_ERROR", field="path")
    assert not Workspace.objects.exists()


def test_it_refuses_a_name_that_is_taken(create):
    create()
    body = refused(create(path="/elsewhere"), 409, "CONFLICT")
    assert "staging" in body["message"]
    assert Workspace.objects.count() == 1


def test_it_refuses_a_path_that_is_taken(create):
    create()
    body = refused(create("other"), 409, "CONFLICT")
    assert "/opt/workspaces/staging" in body["message"]
    assert Workspace.objects.count() == 1


# ── the active one ────────────────────────────────────────────────────────────────────────────────────────────────────
def active(api, root):
    return [row["name"] for row in api(root).get("/v1/workspaces").json() if row["active"]]


def test_it_moves_the_mark(create, api, root):
    assert create("one", "/one", activate=True).json()["active"] is True
    assert active(api, root) == ["one"]
    assert create("two", "/two", activate=True).json()["active"] is True
    assert active(api, root) == ["two"]


def test_it_leaves_the_mark_where_it_is(create, api, root):
    create("one", "/one", activate=True)
    assert create("two", "/two").json()["active"] is False
    assert create("three", "/three", activate=False).json()["active"] is False
    assert active(api, root) == ["one"]


def test_it_leaves_the_mark_when_it_refuses(create, api, root):
    create("one", "/one", activate=True)
    refused(create("one", "/two", activate=True), 409)
    refused(create("two", "/one", activate=True), 409)
    assert active(api, root) == ["one"]


def test_it_makes_one_active_however_many_ask_at_once(transactional_db, api, root):
    callers = [api(root) for _ in range(6)]
    ready, answers = threading.Barrier(len(callers)), []

    def ask(number, caller):
        ready.wait()
        body = {"name": f"team-{number}", "path": f"/team-{number}", "activate": True}
        answers.append(caller.post("/v1/workspaces/create", body))
        connections.close_all()

    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {200, 409}
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "CONFLICT")
    assert Workspace.objects.count() == sum(answer.status_code == 200 for answer in answers)
    assert Workspace.objects.filter(active=True).count() == 1
