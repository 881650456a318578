"""Secret options in the catalog's roles: in no process argument, no output, and no file that others may read."""

import pytest
import yaml

from apps.taskservs.catalog_loader import ROOT, load_catalog
from apps.taskservs.install_plan import PlanItem
from apps.taskservs.plays import Play
from apps.taskservs.variables import role_play
from tests.taskservs.test_catalog import flat, load, texts, variables

SECRETIVE = sorted(name for name, definition in load_catalog().items() if definition.secrets)
SAYS_CONDITIONS_ONLY = "ansible.builtin.assert"
COMMANDS = {"ansible.builtin.command", "ansible.builtin.shell"}


def secret_variables(name):
    """The variables that hold a secret: the options', and the defaults that are made of them."""
    found = {f"{name}_{key}" for key in load_catalog()[name].secrets}
    defaults = load(ROOT / name / "defaults" / "main.yml")
    while more := {key for key, value in defaults.items() if uses(value, found)} - found:
        found |= more
    return found


def uses(value, secret):
    """Whether a YAML value refers to one of the variables."""
    return any(variables(text) & secret for text in texts([value]))


def tasks_of(name):
    paths = [*(ROOT / name).glob("tasks/*.yml"), *(ROOT / name).glob("handlers/*.yml")]
    return [(path.name, task) for path in sorted(paths) for task in flat(load(path)) if "block" not in task]


@pytest.mark.parametrize("name", SECRETIVE)
def test_a_secret_is_no_argument_of_a_process_and_what_uses_one_shows_nothing(name):
    secret = secret_variables(name)
    for file, task in tasks_of(name):
        for module in COMMANDS & task.keys():
            arguments = {key: value for key, value in task[module].items() if key != "stdin"}
            assert not uses(arguments, secret), f"{file}: {task['name']}: everybody on the machine can read it"
        if SAYS_CONDITIONS_ONLY not in task and "ansible.builtin.template" not in task and uses(task, secret):
            assert task.get("no_log") is True, f"{file}: {task['name']}"


@pytest.mark.parametrize("name", SECRETIVE)
def test_a_file_with_a_secret_is_for_its_service_only_and_its_difference_is_not_shown(name):
    secret = secret_variables(name)
    for file, task in tasks_of(name):
        template = task.get("ansible.builtin.template")
        if not template or not variables((ROOT / name / "templates" / template["src"]).read_text()) & secret:
            continue
        assert template["mode"].endswith("0"), f"{file}: {task['name']}"
        assert task.get("no_log") is True or uses(task.get("diff", ""), secret), f"{file}: {task['name']}"


def test_it_finds_a_secret_behind_a_default():
    task = yaml.safe_load("ansible.builtin.command: {argv: [redis-cli, -a, '{{ redis_login }}']}")
    assert uses(task, secret_variables("redis"))
    assert not uses("{{ redis_port }}", secret_variables("redis"))


def test_package_sources_with_a_password_are_a_secret(settings, web_01):
    part = PlanItem(definition=load_catalog()["redis"], version="7.0", config={}, servers=[web_01])
    for proxy, is_secret in (("http://10.0.0.5:3142", False), ("http://me:pass-word@10.0.0.5:3142", True)):
        settings.TASKSERV_PACKAGE_SOURCES = {"proxy": proxy}
        play = role_play(Play(part=part, stages=("install",), hosts=[web_01]), "redis")
        assert ("taskserv_package_sources" in play.secret_variables) is is_secret
        assert ("taskserv_package_sources" in play.variables) is not is_secret
