"""Every role of the catalog, file by file, as text; `test_catalog_roles` runs them on machines."""

import re
from functools import cache

import pytest
import yaml
from jinja2 import Environment, StrictUndefined, meta
from jsonschema import Draft202012Validator

from apps.servers.models import Server
from apps.taskservs.catalog_format import FILES, OPTIONAL_FILES
from apps.taskservs.catalog_loader import ROOT, load_catalog, read
from apps.taskservs.config_validation import checked
from apps.taskservs.emulated_run import tasks_of
from apps.taskservs.errors import BadConfig
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.plays import Play

NAMES = sorted(path.parent.name for path in ROOT.glob("*/taskserv.yaml"))
TASKS = sorted(path for path in ROOT.glob("*/tasks/*.yml"))
HANDLERS = sorted(ROOT.glob("*/handlers/*.yml"))
# Files that others of the role import.
INTERNAL = {"main", "primary", "replica", "member", "node", "reload", "connections"}
TEMPLATES = sorted(ROOT.glob("*/templates/*.j2"))

BUILTIN = """apt assert command copy dpkg_selections file find get_url getent group import_role import_tasks
    include_tasks meta replace shell stat systemd_service template uri user wait_for"""
MODULES = {f"ansible.builtin.{name}" for name in BUILTIN.split()}
KEYWORDS = {
    *("name", "when", "loop", "loop_control", "notify", "register", "changed_when", "failed_when", "until", "retries"),
    *("delay", "vars", "block", "delegate_to", "run_once", "no_log", "diff", "throttle", "environment", "check_mode"),
}
WRITING = {f"ansible.builtin.{name}" for name in ("copy", "template", "file")}
GIVEN = {
    *("ansible_facts", "ansible_play_hosts_all", "inventory_hostname", "item", "ansible_check_mode", "hostvars"),
    *(
        "getent_passwd",
        "taskserv_name",
        "taskserv_members",
        "taskserv_role",
        "taskserv_purge",
        "taskserv_downgrade",
        "taskserv_package_sources",
    ),
}
# Filters and tests of Ansible: what they do does not matter where a text is only searched for names.
ANSIBLE_FILTERS = {
    *("basename", "combine", "hash", "password_hash", "regex_replace", "regex_search", "to_json", "to_nice_json"),
    *("quote", "b64encode", "bool", "difference", "intersect", "zip", "subelements", "dict2items"),
    *("items2dict", "regex_findall", "from_json", "regex_escape", "product", "urlsplit", "urldecode"),
}


@cache
def environment():
    """Jinja as Ansible has it, as far as the roles use it."""
    jinja = Environment(undefined=StrictUndefined, autoescape=False)
    jinja.tests |= {"changed": bool, "succeeded": bool, "search": lambda text, pattern: re.search(pattern, text)}
    jinja.tests |= {"match": lambda text, pattern: re.match(pattern, text), "skipped": bool, "failed": bool}
    jinja.filters |= {name: lambda value, *arguments, **named: value for name in ANSIBLE_FILTERS}
    return jinja


def flat(tasks):
    for task in tasks:
        yield task
        yield from flat(task.get("block", []))


@cache
def load(path):
    """Return a file's content, read once; not to be changed."""
    return yaml.safe_load(path.read_text())


def each_of(value):
    return value if isinstance(value, list) else [value]


def texts(value):
    """Yield every text in a YAML value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def expressions(task):
    """Yield the task's templates, the bare conditions among them."""
    conditions = [task.get(key) for key in ("when", "changed_when", "failed_when", "until")]
    conditions += each_of((task.get("ansible.builtin.assert") or {}).get("that", []))
    for condition in texts(conditions):
        yield "{{ " + condition + " }}"
    for key, value in task.items():
        if key not in ("block", "when", "changed_when", "failed_when", "until", "ansible.builtin.assert"):
            yield from texts(value)


def variables(text):
    return meta.find_undeclared_variables(environment().parse(text))


@cache
def known(role):
    """Return what a role may refer to: its defaults, what its tasks register or set, and what is given."""
    found = set(load(ROOT / role / "defaults" / "main.yml")) | GIVEN
    for path in ROOT.glob(f"{role}/*/*.yml"):
        if path.parent.name in ("tasks", "handlers"):
            for task in flat(load(path)):
                found |= {task.get("register"), *task.get("vars", {})}
    return found


def test_it_has_what_was_promised():
    assert {"redis", "nginx", "containerd", "kubernetes"} <= set(load_catalog())
    assert sorted(load_catalog()) == NAMES
    assert "1.28.0" in load_catalog()["kubernetes"].versions


def test_whatever_is_fetched_is_tried_again():
    tasks = [(path, task) for path in TASKS for task in flat(load(path))]
    fetching = [(path, task) for path, task in tasks if "ansible.builtin.get_url" in task]
    assert len(fetching) > 1
    for path, task in fetching:
        assert task.get("retries", 0) >= 3 and "until" in task, f"{path}: {task['name']}"


@pytest.mark.parametrize("name", NAMES)
def test_each_entry_is_valid(name):
    assert read(ROOT / name) == load_catalog()[name]


@pytest.mark.parametrize("name", NAMES)
def test_it_describes_each_entry_consistently(name):
    definition = load_catalog()[name]
    given = load(ROOT / name / "taskserv.yaml")
    assert definition.name == name and definition.title.strip() and definition.description.endswith(".")
    assert set(given) >= {"systems", "servers", "roles", "endpoints", "needs"} and definition.source == "built-in"
    assert definition.default_version in definition.versions
    assert all(isinstance(version, str) for version in definition.versions)
    assert {*definition.requires, *definition.conflicts} <= set(NAMES) - {name}
    assert not {*definition.requires} & {*definition.conflicts}
    assert "version" not in definition.options
    Draft202012Validator.check_schema(definition.config_schema)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_every_option_the_same_default_in_the_schema_and_in_the_role(name):
    definition, defaults = load_catalog()[name], load(ROOT / name / "defaults" / "main.yml")
    assert defaults[f"{name}_version"] == definition.default_version
    for key, option in definition.options.items():
        assert option["description"].endswith(".")
        assert defaults[f"{name}_{key}"] == option.get("default", "")
    checked(definition, definition.complete({}))
    assert all(key.startswith(f"{name}_") for key in defaults)


@pytest.mark.parametrize("name", NAMES)
def test_it_knows_how_to_get_every_version(name):
    releases = load(ROOT / name / "defaults" / "main.yml").get(f"{name}_releases")
    assert releases is None or set(releases) == set(load_catalog()[name].versions)


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_no_line_break_into_a_text_option(name):
    definition = load_catalog()[name]
    for key, option in definition.options.items():
        if option["type"] == "string":
            with pytest.raises(BadConfig):
                checked(definition, {key: f"{option.get('default', 'a' * 32)}\n"})


@pytest.mark.parametrize("path", [*TASKS, *HANDLERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_it_names_every_task_and_uses_known_modules_by_their_full_names(path):
    tasks = list(flat(load(path)))
    assert tasks and path.read_text().startswith("---\n")
    for task in tasks:
        assert re.fullmatch(r"[A-Z].*[^.]", task["name"]), task
        modules = task.keys() - KEYWORDS
        assert modules <= MODULES, modules - MODULES
        assert len(modules) == (0 if "block" in task else 1), task["name"]
        assert "apt" not in task or "cache_valid_time" not in task["apt"]
        assert "until" not in task or task.get("failed_when") is not False, "after its last try it fails all the same"
    names = [task["name"] for task in tasks]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", [*TASKS, *HANDLERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_it_uses_only_variables_that_exist(path):
    role = path.relative_to(ROOT).parts[0]
    for task in flat(load(path)):
        for text in expressions(task):
            environment().from_string(text)
            assert variables(text) <= known(role), (task["name"], variables(text) - known(role))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_has_templates_that_compile_and_use_known_variables(path):
    role = path.relative_to(ROOT).parts[0]
    environment().from_string(path.read_text())
    assert variables(path.read_text()) <= known(role)


@pytest.mark.parametrize("name", NAMES)
def test_it_notifies_handlers_and_takes_templates_that_exist(name):
    role = ROOT / name
    handlers = {task["name"] for path in role.glob("handlers/*.yml") for task in flat(load(path))}
    for path in role.glob("tasks/*.yml"):
        for task in flat(load(path)):
            assert set(each_of(task.get("notify", []))) <= handlers
            if template := task.get("ansible.builtin.template"):
                assert (role / "templates" / template["src"]).is_file()
    files = {path.stem for path in role.glob("tasks/*.yml")} - INTERNAL
    assert {*load_catalog()[name].stages, "remove"} <= files <= {*FILES, *OPTIONAL_FILES}


@pytest.mark.parametrize(
    ("name", "version"), [(name, each) for name in NAMES for each in load_catalog()[name].versions]
)
def test_it_weighs_the_conditions_of_every_task(name, version):
    definition = load_catalog()[name]
    part = PlanItem(definition=definition, version=version, config={}, servers=[Server(hostname=h) for h in ("a", "b")])
    for file in [*definition.stages, "remove"]:
        tasks = tasks_of([Play(part=part, stages=(file,), hosts=part.servers)])
        assert tasks and {host for task in tasks for host in task.hosts} == {"a", "b"}


def tasks_in(role, folder):
    return [task for path in sorted(ROOT.glob(f"{role}/{folder}/*.yml")) for task in flat(load(path))]


@pytest.mark.parametrize("name", NAMES)
def test_it_loses_no_restart_when_it_is_killed_before_it(name):
    """The next run restarts a service that is older than its files: `run_service` compares them."""
    handlers, tasks = tasks_in(name, "handlers"), tasks_in(name, "tasks")
    if not handlers:
        return
    [given] = [task["vars"] for task in tasks if task.get("vars", {}).get("run_service_files")]
    services = {handler["name"]: handler["ansible.builtin.systemd_service"] for handler in handlers}
    assert {service["name"] for service in services.values()} == {given["run_service_unit"]}
    restarts = {service["state"] for service in services.values()} != {"reloaded"}
    assert given.get("run_service_state", "restarted") == ("restarted" if restarts else "reloaded")
    defaults = load(ROOT / name / "defaults" / "main.yml")
    for task in tasks:
        file = next((task[key] for key in task if key in WRITING), None)
        if "notify" in task and file:
            path = environment().from_string(file.get("dest") or file["path"]).render(defaults)
            by_reload = restarts and services[task["notify"]]["state"] == "reloaded"
            assert by_reload == (path not in given["run_service_files"]), task["name"]
            assert not by_reload or (ROOT / name / "tasks" / "reload.yml").is_file(), task["name"]


@pytest.mark.parametrize("name", NAMES)
def test_no_task_depends_on_what_another_has_changed_in_the_same_run(name):
    """What a killed run has changed, the next one does not change again; it has to look how things are."""
    for task in tasks_in(name, "tasks"):
        assert not any(" is changed" in text or ".changed" in text for text in texts(task.get("when"))), task["name"]
