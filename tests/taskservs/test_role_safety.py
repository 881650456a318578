"""Roles of operators: what would run on the controller is refused, and a run has a checked copy."""

import shutil
from pathlib import Path

import pytest
import yaml

from apps.taskservs.ansible.requests import RolePlay, RunRequest
from apps.taskservs.ansible.role_copies import copy_roles
from apps.taskservs.catalog_loader import ROOT, load_catalog, read
from apps.taskservs.catalog_yaml import BadEntry
from tests.taskservs.entries import write


def task(**keys):
    return [{"name": "Do it", **keys}]


COMMAND = {"ansible.builtin.command": {"argv": ["true"]}}
ON_THE_CONTROLLER = {
    "delegation": task(**COMMAND, delegate_to="localhost"),
    "local action": task(local_action="command true"),
    "connection": task(**COMMAND, connection="local"),
    "connection by a variable": task(**COMMAND, vars={"ansible_connection": "local"}),
    "connection by a fact": task(**{"ansible.builtin.set_fact": {"ansible_connection": "local"}}),
    "a fact's name by a template": task(**{"ansible.builtin.set_fact": {"{{ 'ansible' ~ '_connection' }}": "local"}}),
    "a result's name": task(**COMMAND, register="ansible_connection"),
    "a loop's name": task(**COMMAND, loop=["local"], loop_control={"loop_var": "ansible_connection"}),
    "lookup": task(**{"ansible.builtin.debug": {"msg": "{{ lookup('pipe', 'id') }}"}}),
    "query": task(**{"ansible.builtin.debug": {"msg": "{{ q('file', '/etc/passwd') }}"}}),
    "lookup by another name": task(**{"ansible.builtin.debug": {"msg": "{% set a = lookup %}{{ a('pipe', 'id') }}"}}),
    "lookup in a condition": task(**COMMAND, when="lookup('pipe', 'id')"),
    "lookup in a loop": task(**COMMAND, with_pipe="id"),
    "a file of the controller": task(**{"ansible.builtin.copy": {"src": "/etc/shadow", "dest": "/tmp/x"}}),
    "a file by a way up": task(**{"ansible.builtin.template": {"src": "../../settings.py", "dest": "/tmp/x"}}),
    "a file by a template": task(**{"ansible.builtin.copy": {"src": "{{ motd_text }}", "dest": "/tmp/x"}}),
    "a file by a short form": task(**{"ansible.builtin.copy": "src=/etc/shadow dest=/tmp/x"}),
    "fetching to it": task(**{"ansible.builtin.fetch": {"src": "/etc/motd", "dest": "/tmp"}}),
    "a script": task(**{"ansible.builtin.script": "x.sh"}),
    "a short name": task(command="true"),
    "another host": task(**{"ansible.builtin.add_host": {"name": "localhost"}}),
    "tasks of elsewhere": task(**{"ansible.builtin.include_tasks": "/etc/tasks.yml"}),
    "another role": task(**{"ansible.builtin.import_role": {"name": "/tmp/role"}}),
    "in a block": [{"name": "All", "block": task(local_action="command true")}],
    "lookup as what is shown": task(**{"ansible.builtin.debug": {"var": "lookup('pipe', 'id')"}}),
    "lookup that ends a loop": task(**COMMAND, loop=[1], loop_control={"break_when": "lookup('pipe', 'id') == ''"}),
    "lookup beside a template": task(**COMMAND, when="'{{ 1 }}' != lookup('pipe', 'id')"),
    "lookup in a text that is a template": task(**COMMAND, when=r"""'\x7b\x7b lookup("pipe", "id") \x7d\x7d' == 'a'"""),
    "lookup in a text that a condition takes": task(
        **COMMAND, when="{{ condition }}", vars={"condition": "lookup('pipe', 'id')"}
    ),
    "lookup after an expression": task(**COMMAND, when="motd_text }} {{ lookup('pipe', 'id')"),
    "lookup between marks of its own": task(
        **COMMAND,
        vars={"a": "#jinja2: variable_start_string: '[[', variable_end_string: ']]'\n[[ lookup('pipe', 'id') ]]"},
    ),
    "a template's own marks": task(
        **{"ansible.builtin.template": {"src": "x.j2", "dest": "/tmp/x", "variable_start_string": "[["}}
    ),
    "a template that cannot be read": task(**{"ansible.builtin.debug": {"msg": "{% do 1 %}{% include 'x' %}"}}),
    "a file of the run": task(**{"ansible.builtin.copy": {"src": "key-1", "dest": "/tmp/x"}}),
    "a template that is none of the role's": task(
        **{"ansible.builtin.template": {"src": "tasks/install.yml", "dest": "/tmp/x"}}
    ),
    "tasks of elsewhere by another argument": task(**{"ansible.builtin.include_tasks": {"_raw_params": "/etc/x.yml"}}),
    "delegation of included tasks": task(
        **{"ansible.builtin.include_tasks": {"file": "start.yml", "apply": {"delegate_to": "localhost"}}}
    ),
    "the controller's environment": task(**{"ansible.builtin.debug": {"msg": "{{ '$HTTPS_PROXY' | expandvars }}"}}),
    "names of the controller's files": task(
        **{"ansible.builtin.debug": {"msg": "{{ ['/etc/*'] | map('ansible.builtin.fileglob') | list }}"}}
    ),
    "whether the controller has a file": task(**COMMAND, when="'/etc/shadow' is exists"),
}


@pytest.mark.parametrize("tasks", ON_THE_CONTROLLER.values(), ids=ON_THE_CONTROLLER)
def test_it_refuses_what_would_run_on_the_controller(tmp_path, settings, tasks):
    directory = write(tmp_path, tasks=tasks)
    with pytest.raises(BadEntry, match="TASKSERV_TRUST_ROLES"):
        read(directory, "operator")
    settings.TASKSERV_TRUST_ROLES = True
    read(directory, "operator")


@pytest.mark.parametrize("file", ["library/x.py", "filter_plugins/x.py", "meta/main.yml", "lookup_plugins/x.py"])
def test_it_refuses_plugins_and_dependencies(tmp_path, file):
    path = write(tmp_path) / file
    path.parent.mkdir()
    path.write_text("[]\n")
    with pytest.raises(BadEntry, match=file):
        read(tmp_path / "motd", "operator")


def test_it_refuses_links_and_lookups_in_templates(tmp_path):
    directory = write(tmp_path)
    (directory / "templates").mkdir()
    (directory / "templates" / "x.j2").write_text("{{ lookup('pipe', 'id') }}")
    (directory / "templates" / "y.j2").symlink_to("/etc/passwd")
    marks = "#jinja2: variable_start_string: '[[', variable_end_string: ']]'"
    (directory / "templates" / "z.j2").write_text(f"{marks}\n[[ lookup('pipe', 'id') ]]")
    with pytest.raises(BadEntry) as caught:
        read(directory, "operator")
    assert len(caught.value.faults) == 3


def run_of(directory):
    play = RolePlay(taskserv="motd", role_path=str(directory), tasks=["install"], server_ids=["srv-1"])
    return RunRequest(plays=[play, play])


def test_a_run_has_a_copy_of_the_role_which_is_checked_again(tmp_path, settings):
    directory = write(tmp_path)
    read(directory, "operator")
    tasks = directory / "tasks" / "install.yml"
    before = tasks.read_text()
    (tmp_path / "run").mkdir()
    first, second = copy_roles(tmp_path / "run", run_of(directory)).plays
    assert first.role_path == second.role_path != str(directory)
    tasks.write_text(yaml.safe_dump(ON_THE_CONTROLLER["delegation"]))
    assert Path(first.role_path, "tasks", "install.yml").read_text() == before
    (tmp_path / "another").mkdir()
    with pytest.raises(BadEntry, match="delegate_to"):
        copy_roles(tmp_path / "another", run_of(directory))
    settings.TASKSERV_TRUST_ROLES = True
    (tmp_path / "trusted").mkdir()
    assert Path(copy_roles(tmp_path / "trusted", run_of(directory)).plays[0].role_path).name == "motd"


def test_a_run_has_no_copy_of_what_a_link_in_a_role_leads_to(tmp_path):
    directory = write(tmp_path)
    (tmp_path / "secret").write_text("key")
    (directory / "files").mkdir()
    (directory / "files" / "x").symlink_to(tmp_path / "secret")
    (tmp_path / "run").mkdir()
    with pytest.raises(BadEntry, match="symbolic link"):
        copy_roles(tmp_path / "run", run_of(directory))
    assert "key" not in [
        path.read_text() for path in (tmp_path / "run").rglob("*") if not path.is_symlink() and path.is_file()
    ]


def test_it_allows_what_runs_on_servers(tmp_path):
    """The built-in roles would pass as an operator's, apart from those that ask another server or set facts."""
    passed = set()
    for name in load_catalog():
        shutil.copytree(ROOT / name, tmp_path / name)
        try:
            read(tmp_path / name, "operator")
            passed.add(name)
        except BadEntry as error:
            assert all("delegate_to" in fault for fault in error.faults), error
    assert passed == set(load_catalog()) - {"kubernetes"}
