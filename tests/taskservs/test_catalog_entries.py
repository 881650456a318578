"""Catalogs of operators and workspaces: what is found where, and faults by line."""

import os
import shutil

import pytest

from apps.operations.models import Operation
from apps.taskservs import catalog_loader
from apps.taskservs.catalog_loader import definition_named, load_catalog, read, with_requirements
from apps.taskservs.catalog_yaml import BadEntry, load_yaml
from apps.taskservs.checks import check_catalog
from apps.taskservs.errors import BadDefinition, RequirementCycle, UnknownTaskserv
from apps.taskservs.models import Taskserv
from apps.taskservs.services.credentials import secrets_of_configuration, secrets_of_creation
from apps.workspaces.models import Workspace
from tests.refusals import refused
from tests.taskservs.entries import ENTRY, write


@pytest.fixture(autouse=True)
def forgetful():
    """Read catalogs anew: a process reads the operator's once."""
    catalog_loader.operators.cache_clear()
    yield
    catalog_loader.operators.cache_clear()


# ── what is found where ───────────────────────────────────────────────────────────────────────────────────────────────
def test_it_finds_an_operator_s_taskserv_before_a_built_in_one(tmp_path, settings, ask, web_01, run_worker):
    settings.TASKSERV_PATHS = [str(tmp_path / "first"), str(tmp_path / "second")]
    write(tmp_path / "first", title="The first one")
    write(tmp_path / "second", title="The second one")
    write(tmp_path / "second", name="nginx", title="Another nginx")
    assert definition_named("motd").title == "The first one"
    assert (definition_named("nginx").title, definition_named("nginx").source) == ("Another nginx", "operator")
    assert definition_named("redis").source == "built-in"
    assert check_catalog() == []
    assert ask("motd", config={"text": "Good morning"}).status_code == 200
    refused(ask("motd", config={"text": "{{ x }}"}), 400, "VALIDATION_ERROR", field="config.text")


def test_it_finds_a_workspace_s_own_below_allowed_directories_only(tmp_path, settings):
    settings.TASKSERV_WORKSPACE_ROOTS = [str(tmp_path / "allowed")]
    for place in ("allowed", "elsewhere"):
        write(tmp_path / place / "web" / "taskservs")
    assert definition_named("motd", str(tmp_path / "allowed" / "web")).source == "workspace"
    with pytest.raises(UnknownTaskserv):
        definition_named("motd", str(tmp_path / "elsewhere" / "web"))
    with pytest.raises(UnknownTaskserv):
        definition_named("motd")
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "elsewhere" / "web")
    assert "motd" not in load_catalog(str(tmp_path / "allowed" / "link")), "a link leads out"
    assert "motd" not in load_catalog(str(tmp_path / "allowed" / ".." / "elsewhere" / "web"))


def test_it_reads_a_workspace_s_own_anew_when_it_changes(tmp_path, settings):
    settings.TASKSERV_WORKSPACE_ROOTS = [str(tmp_path)]
    write(tmp_path / "web" / "taskservs")
    assert definition_named("motd", str(tmp_path / "web")).title == "A greeting"
    write(tmp_path / "web" / "taskservs", title="Another greeting")
    assert definition_named("motd", str(tmp_path / "web")).title == "Another greeting"
    write(tmp_path / "web" / "taskservs", category="fun")
    with pytest.raises(BadDefinition, match="motd/taskserv.yaml:4"):
        definition_named("motd", str(tmp_path / "web"))
    assert "redis" in load_catalog(str(tmp_path / "web"))


def test_it_reads_a_workspace_s_own_anew_when_its_times_are_set_back(tmp_path, settings):
    settings.TASKSERV_WORKSPACE_ROOTS = [str(tmp_path)]
    path = write(tmp_path / "web" / "taskservs", title="One greeting") / "taskserv.yaml"
    assert definition_named("motd", str(tmp_path / "web")).title == "One greeting"
    before = path.stat()
    path.write_text(path.read_text().replace("One greeting", "Two greeting"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert definition_named("motd", str(tmp_path / "web")).title == "Two greeting"


def test_a_workspace_s_own_keeps_away_what_it_conflicts_with(tmp_path, settings, ask, install, web_01):
    settings.TASKSERV_WORKSPACE_ROOTS = [str(tmp_path)]
    Workspace.objects.filter(name="production").update(path=str(tmp_path / "web"))
    write(tmp_path / "web" / "taskservs", conflicts=["nginx"])
    id = install("motd")
    assert refused(ask("nginx"), 409)["message"] == f"nginx cannot be installed on web-01 beside motd ({id})."


def test_it_says_that_what_is_installed_has_left_the_catalog(
    tmp_path, settings, install, change, api, alice, web_01, run_worker
):
    settings.TASKSERV_WORKSPACE_ROOTS = [str(tmp_path)]
    Workspace.objects.filter(name="production").update(path=str(tmp_path / "web"))
    entry = write(tmp_path / "web" / "taskservs")
    id = install("motd")
    shutil.rmtree(entry)
    says = f"{id} cannot be changed, verified or removed: its entry motd has left the catalog; put it back."
    assert refused(change(id, config={"text": "Hi"}), 409)["message"] == says
    assert refused(change(id, "upgrade", version="2"), 409)["message"] == says
    assert refused(api(alice).delete(f"/v1/taskservs/{id}"), 409)["message"] == says
    answer = change(id, "verify")
    run_worker()
    assert Operation.objects.get(pk=answer.json()["id"]).error == says
    write(tmp_path / "web" / "taskservs")
    assert api(alice).delete(f"/v1/taskservs/{id}").status_code == 200


def test_it_refuses_requirements_in_a_circle(tmp_path, settings):
    settings.TASKSERV_PATHS = [str(tmp_path)]
    write(tmp_path, name="motd", requires=["other"])
    write(tmp_path, name="other", requires=["motd"])
    with pytest.raises(RequirementCycle, match="motd → other → motd"):
        with_requirements(definition_named("motd"))
    assert {message.id for message in check_catalog()} == {"taskservs.E003"}


def test_it_reports_faults_when_the_service_starts(tmp_path, settings):
    settings.TASKSERV_PATHS = [str(tmp_path), "/no/such/directory"]
    write(tmp_path, category="fun")
    messages = {message.id: message for message in check_catalog()}
    assert set(messages) == {"taskservs.E001", "taskservs.E002"}
    assert "motd/taskserv.yaml:4" in messages["taskservs.E002"].msg
    assert "motd" not in load_catalog()


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────
FREE = {"text": {"type": "string", "default": "Hello", "description": "What it says."}}
UNKNOWN_DEFAULT = {"text": {**ENTRY["options"]["text"], "default": "Hi"}}
FAULTS = [
    ({"category": "fun"}, "taskserv.yaml:4: 'fun' is not one of"),
    ({"default_version": "2"}, "taskserv.yaml:7: 2 is not among `versions`; add it there."),
    ({"servers": {"min": 3, "max": 1}}, "taskserv.yaml:10: `min` is above `max`."),
    ({"requires": ["motd"]}, "neither requires itself"),
    ({"endpoints": [{"name": "web", "port": "text", "scheme": "http"}]}, "port text is not an integer option"),
    ({"endpoints": [{"name": "web", "port": 80, "scheme": "http", "roles": ["queen"]}]}, "role queen is not among"),
    ({"options": FREE}, "a text needs `enum`, `pattern` or `format`"),
    ({"options": UNKNOWN_DEFAULT}, "set `motd_text: 'Hi'` in defaults/main.yml"),
    ({"surprise": 1}, "there is no key 'surprise'"),
    ({"options": {"version": FREE["text"]}}, "version"),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS, ids=lambda value: str(value)[:30])
def test_it_says_by_file_and_line_what_is_wrong(tmp_path, changes, message):
    with pytest.raises(BadEntry) as caught:
        read(write(tmp_path, **changes), "operator")
    assert any(message in fault and fault.startswith("motd/taskserv.yaml:") for fault in caught.value.faults), (
        caught.value
    )


def test_it_says_which_file_is_missing_or_is_not_yaml(tmp_path):
    directory = write(tmp_path)
    (directory / "tasks" / "verify.yml").unlink()
    with pytest.raises(BadEntry, match="no tasks/verify.yml; write it"):
        read(directory, "operator")
    for file in ("tasks/verify.yml", "handlers/main.yml", "vars/main.yml"):
        (directory / file).parent.mkdir(exist_ok=True)
        (directory / file).write_text("- name: Go\n  a: [\n")
        with pytest.raises(BadEntry, match=f"motd/{file}:3: is not YAML"):
            read(directory, "operator")
        (directory / file).write_text("- name: Go\n  ansible.builtin.command: {argv: ['true']}\n")


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_it_refuses_a_file_of_very_deep_nesting(text, tmp_path):
    path = tmp_path / "taskserv.yaml"
    path.write_text(text)
    with pytest.raises(BadEntry, match="nested too deeply"):
        load_yaml(path)


# ── an entry that replaces another ────────────────────────────────────────────────────────────────────────────────────
WORD, OTHER = "a-word-of-sixteen-letters", "another-word-of-sixteen-letters"
PLAIN = {"type": "string", "pattern": "^[a-z-]{16,40}$", "default": "no-word-is-given-yet", "description": "A word."}


@pytest.fixture
def own_entry(tmp_path, settings, web_01):
    """Write an entry with these options into the catalog of web-01's workspace."""
    settings.TASKSERV_WORKSPACE_ROOTS = [str(tmp_path)]
    Workspace.objects.filter(name="production").update(path=str(tmp_path / "web"))

    def make(name, **options):
        defaults = {f"{name}_version": "1"} | {f"{name}_{key}": each["default"] for key, each in options.items()}
        facts = {"versions": ["1", "7.0"], "default_version": "1", "options": options, "defaults": defaults}
        write(tmp_path / "web" / "taskservs", name=name, tasks=(), **facts)

    return make


def everything_shown(api, alice, id):
    """What is shown of a taskserv and its operations to whoever may read it."""
    pages = [f"/v1/taskservs/{id}", f"/admin/taskservs/taskserv/{id}/change/"]
    for operation in Operation.objects.values_list("pk", flat=True):
        pages += [f"/v1/operations/{operation}", f"/v1/operations/{operation}/events"]
    return "".join(api(alice).get(page).content.decode() for page in pages)


def test_what_was_secret_stays_secret_under_an_entry_that_does_not_say_so(
    own_entry, api, alice, install, change, changed
):
    id = install("redis", config={"password": WORD})
    own_entry("redis", password=PLAIN)
    refused(answer := change(id, config={"password": OTHER.upper()}), 400, "VALIDATION_ERROR", field="config.password")
    assert OTHER.upper() not in answer.content.decode()
    changed(id, config={"password": OTHER})
    shown = everything_shown(api, alice, id)
    assert WORD not in shown and OTHER not in shown
    assert Taskserv.objects.get().config == {}
    assert api(alice).get(f"/v1/taskservs/{id}/credentials").json()["credentials"] == {"password": OTHER}
    assert list(secrets_of_configuration({"taskserv_id": id, "config": {"password": "x"}})) == ["x"]


def test_what_has_become_secret_is_shown_no_more(own_entry, api, alice, install, changed):
    own_entry("motd", text=PLAIN)
    id = install("motd", config={"text": WORD})
    assert WORD in everything_shown(api, alice, id)
    own_entry("motd", text=PLAIN | {"secret": True})
    assert WORD not in everything_shown(api, alice, id)
    changed(id, config={})
    assert WORD not in everything_shown(api, alice, id) and WORD not in str(Taskserv.objects.get().config)
    assert api(alice).get(f"/v1/taskservs/{id}/credentials").json()["credentials"] == {"text": WORD}


def test_a_workflow_hides_what_the_entry_of_any_workspace_calls_secret(own_entry):
    own_entry("redis", token=PLAIN | {"secret": True})
    given = {"name": "redis", "config": {"token": "one", "password": "two", "maxmemory": "64mb"}}
    assert list(secrets_of_creation(given)) == ["one", "two"]
