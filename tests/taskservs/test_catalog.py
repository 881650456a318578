"""Every role of the catalogue, file by file: they cannot be run here, but they can be read."""

import re

import pytest
import yaml
from jinja2 import Environment, StrictUndefined, meta
from jsonschema import Draft202012Validator

from apps.servers.models import Server
from apps.taskservs.catalogue import ROOT, catalogue
from apps.taskservs.configs import checked
from apps.taskservs.errors import BadConfig
from apps.taskservs.installer import tasks_of
from apps.taskservs.plans import Part

NAMES = sorted(path.name for path in ROOT.iterdir() if path.is_dir())
TASKS = sorted(path for path in ROOT.glob("*/tasks/*.yml"))
HANDLERS = sorted(ROOT.glob("*/handlers/*.yml"))
TEMPLATES = sorted(ROOT.glob("*/templates/*.j2"))

BUILTIN = """apt assert command copy deb822_repository dpkg_selections file get_url import_tasks meta replace stat
    systemd_service template uri wait_for"""
MODULES = {f"ansible.builtin.{name}" for name in BUILTIN.split()} | {"community.general.modprobe"}
KEYWORDS = {
    *("name", "when", "loop", "notify", "register", "changed_when", "failed_when", "until", "retries", "delay"),
    *("vars", "block", "delegate_to", "run_once", "no_log"),
}
GIVEN = {"ansible_facts", "ansible_play_hosts_all", "inventory_hostname", "item"}


def environment():
    """Jinja as Ansible has it, as far as the roles use it."""
    jinja = Environment(undefined=StrictUndefined, autoescape=False)
    jinja.tests |= {"changed": bool, "succeeded": bool, "search": lambda text, pattern: re.search(pattern, text)}
    return jinja


def flat(tasks):
    for task in tasks:
        yield task
        yield from flat(task.get("block", []))


def load(path):
    return yaml.safe_load(path.read_text())


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
    conditions += (task.get("ansible.builtin.assert") or {}).get("that", [])
    for condition in texts(conditions):
        yield "{{ " + condition + " }}"
    for key, value in task.items():
        if key not in ("block", "when", "changed_when", "failed_when", "until", "ansible.builtin.assert"):
            yield from texts(value)


def variables(text):
    return meta.find_undeclared_variables(environment().parse(text))


def known(role):
    """Return what a role may refer to: its defaults, what its tasks register or set, and what Ansible gives."""
    found = set(load(ROOT / role / "defaults" / "main.yml")) | GIVEN
    for path in ROOT.glob(f"{role}/*/*.yml"):
        if path.parent.name in ("tasks", "handlers"):
            for task in flat(load(path)):
                found |= {task.get("register"), *task.get("vars", {})}
    return found


def test_it_has_what_was_promised():
    assert {"redis", "nginx", "containerd", "kubernetes"} <= set(catalogue())
    assert sorted(catalogue()) == NAMES
    assert "1.28.0" in catalogue()["kubernetes"].versions


@pytest.mark.parametrize("name", NAMES)
def test_it_describes_each_entry_consistently(name):
    definition = catalogue()[name]
    given = load(ROOT / name / "taskserv.yaml")
    keys = ["name", "title", "category", "versions", "default_version", "requires", "conflicts", "options"]
    assert list(given) == keys
    assert definition.name == name and definition.title and re.fullmatch(r"[a-z_]+", definition.category)
    assert definition.default_version in definition.versions
    assert all(isinstance(version, str) for version in definition.versions)
    assert {*definition.requires, *definition.conflicts} <= set(NAMES) - {name}
    assert not {*definition.requires} & {*definition.conflicts}
    assert "version" not in definition.options
    Draft202012Validator.check_schema(definition.config_schema)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_every_option_the_same_default_in_the_schema_and_in_the_role(name):
    definition, defaults = catalogue()[name], load(ROOT / name / "defaults" / "main.yml")
    assert defaults[f"{name}_version"] == definition.default_version
    for key, option in definition.options.items():
        assert option["description"].endswith(".")
        assert defaults[f"{name}_{key}"] == option["default"]
    checked(definition, {key: option["default"] for key, option in definition.options.items()})
    assert all(key.startswith(f"{name}_") for key in defaults)


@pytest.mark.parametrize("name", NAMES)
def test_it_knows_how_to_get_every_version(name):
    releases = load(ROOT / name / "defaults" / "main.yml").get(f"{name}_releases")
    assert releases is None or set(releases) == set(catalogue()[name].versions)


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_no_line_break_into_a_text_option(name):
    definition = catalogue()[name]
    for key, option in definition.options.items():
        if option["type"] == "string":
            with pytest.raises(BadConfig):
                checked(definition, {key: f"{option['default']}\n"})


@pytest.mark.parametrize("path", [*TASKS, *HANDLERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_it_names_every_task_and_uses_known_modules_by_their_full_names(path):
    tasks = list(flat(load(path)))
    assert tasks and path.read_text().startswith("---\n")
    for task in tasks:
        assert re.fullmatch(r"[A-Z].*[^.]", task["name"]), task
        modules = task.keys() - KEYWORDS
        assert modules <= MODULES, modules - MODULES
        assert len(modules) == (0 if "block" in task else 1), task["name"]
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
            assert {task["notify"]} <= handlers if "notify" in task else True
            if template := task.get("ansible.builtin.template"):
                assert (role / "templates" / template["src"]).is_file()
    assert {path.name for path in role.glob("tasks/*.yml")} == {"main.yml", "install.yml", "verify.yml", "remove.yml"}


def test_it_renders_every_template_with_the_defaults():
    for path in TEMPLATES:
        role = path.relative_to(ROOT).parts[0]
        defaults = load(ROOT / role / "defaults" / "main.yml")
        if f"{role}_releases" in defaults:
            defaults[f"{role}_release"] = defaults[f"{role}_releases"][defaults[f"{role}_version"]]
        defaults |= {"item": "docker.io", "containerd_registry_mirrors": {"docker.io": "https://mirror.example"}}
        assert environment().from_string(path.read_text()).render(defaults).strip()


@pytest.mark.parametrize(("name", "version"), [(name, each) for name in NAMES for each in catalogue()[name].versions])
def test_it_weighs_the_conditions_of_every_task(name, version):
    definition = catalogue()[name]
    part = Part(definition=definition, version=version, config={}, servers=[Server(hostname=h) for h in ("a", "b")])
    for file in ("install", "verify", "remove"):
        tasks = tasks_of([part], (file,))
        assert tasks and any(task.hosts == ["a", "b"] for task in tasks)
