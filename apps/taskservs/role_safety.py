"""What an operator's or a workspace's role must not hold: anything that Ansible runs or reads on the controller.

Modules run on the servers; action plugins, lookups, connections and delegation run where `ansible-playbook` does.
Modules are therefore taken from a list, and everything else that reaches the controller is refused.
TASKSERV_TRUST_ROLES allows it. Import this module inside the functions that use it: Jinja takes long to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from apps.taskservs.catalog_format import SHARED_ROLES
from apps.taskservs.catalog_yaml import load_yaml

MODULES = {
    f"ansible.builtin.{name}"
    for name in (
        *("apt", "apt_repository", "assert", "blockinfile", "command", "copy", "cron", "deb822_repository"),
        *(
            "debconf",
            "debug",
            "dpkg_selections",
            "fail",
            "file",
            "find",
            "get_url",
            "getent",
            "git",
            "group",
            "hostname",
        ),
        *("import_role", "import_tasks", "include_tasks", "known_hosts", "lineinfile", "meta", "package_facts", "pip"),
        *(
            "package_facts",
            "reboot",
            "replace",
            "service",
            "service_facts",
            "set_fact",
            "setup",
            "shell",
            "slurp",
            "stat",
        ),
        *("systemd", "systemd_service", "tempfile", "template", "unarchive", "uri", "user", "wait_for"),
    )
}
KEYWORDS = {
    *("name", "when", "loop", "loop_control", "notify", "listen", "register", "changed_when", "failed_when", "until"),
    *("retries", "delay", "vars", "block", "rescue", "always", "run_once", "no_log", "check_mode", "diff", "tags"),
    *("become", "become_user", "environment", "ignore_errors", "timeout", "throttle", "async", "poll"),
}
# Roles beside those of the catalog, which any role may import.
FOLDERS = {"defaults", "tasks", "handlers", "templates", "files", "vars"}
FROM_CONTROLLER = {f"ansible.builtin.{name}" for name in ("copy", "template", "unarchive", "uri")}
TASK_FILES = {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}
FREE_FORM = TASK_FILES | {f"ansible.builtin.{name}" for name in ("command", "shell", "meta")}
CONDITIONS = {"when", "changed_when", "failed_when", "until"}
# Arguments that are expressions as well, by keyword or module: Ansible evaluates their text as it stands.
EXPRESSIONS = {
    "loop_control": "break_when",
    "ansible.builtin.assert": "that",
    "ansible.builtin.debug": "var",
}
PLAIN_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
LOOKUPS = {"lookup", "query", "q"}
# Filters and tests that read files or the environment of the controller.
READERS = {"expanduser", "expandvars", "fileglob", "realpath"} | {
    *("directory", "exists", "file", "link", "link_exists", "mount", "same_file"),
    *("is_dir", "is_file", "is_link", "is_mount", "is_same_file"),
}
BY_NAME = {"map", "select", "reject", "selectattr", "rejectattr"}  # filters that apply another, named by an argument
# In front of a text, or among a template's arguments, these would make other marks than {{ }} and {% %} count.
MARKS = "#jinja2:"
TEMPLATE = re.compile(r"^#jinja2:|\{[{%#]")
MARK_ARGUMENT = re.compile(r"(variable|block|comment)_(start|end)_string")
NAMING = {"loop_var", "index_var", "register"}
ADVICE = "set TASKSERV_TRUST_ROLES=true to allow what runs on the controller."
JINJA = Environment(autoescape=False)  # noqa: S701 - parsed only, never rendered


def controller_faults(role: Path) -> list[str]:
    """Return what a role would run or read on the controller, each with its file and, for tasks, the task's name.

    Raises BadEntry for a file that is not YAML.
    """
    return [f"{role.name}/{text} {ADVICE}" for text in sorted(set(faults(role)))]


def faults(role: Path) -> Iterator[str]:
    """Yield the faults of a role's files."""
    for path in sorted(role.rglob("*")):
        shown = path.relative_to(role)
        if path.is_symlink():
            yield f"{shown}: is a symbolic link;"
        elif path.is_file() and len(shown.parts) > 1 and shown.parts[0] not in FOLDERS:
            yield f"{shown}: only {', '.join(sorted(FOLDERS))} may be in a role;"
        elif path.is_file() and shown.parts[0] in ("tasks", "handlers"):
            yield from (f"{shown}:{text}" for text in task_faults(load_yaml(path), role))
        elif path.is_file() and shown.parts[0] in ("defaults", "vars"):
            yield from (f"{shown}:1: {text}" for text in value_faults(load_yaml(path)))
        elif path.is_file() and shown.parts[0] == "templates":
            yield from (f"{shown}:1: {text}" for text in template_faults(path.read_text(errors="replace")))


def task_faults(tasks: Any, role: Path) -> Iterator[str]:
    """Yield the faults of a list of tasks."""
    if not isinstance(tasks, list | None) or not all(isinstance(task, dict) for task in tasks or []):
        yield "1: is not a list of tasks;"
        return
    for task in tasks or []:
        label = f" task {str(task.get('name', '?'))[:60]!r}:"
        for key, value in task.items():
            if key in ("block", "rescue", "always"):
                yield from task_faults(value, role)
            elif key not in KEYWORDS | MODULES:
                yield f"{label} `{key}` is not allowed, use ansible.builtin modules by their full names;"
            else:
                yield from (f"{label} {text}" for text in argument_faults(key, value, role))


def argument_faults(key: str, value: Any, role: Path) -> Iterator[str]:
    """Yield the faults of a task's keyword or module."""
    if key in CONDITIONS:
        yield from expression_faults(value)
        return
    if key in EXPRESSIONS and isinstance(value, dict):
        name = EXPRESSIONS[key]
        yield from expression_faults(value.get(name, []))
        value = {other: item for other, item in value.items() if other != name}
    yield from value_faults(value)
    if key in MODULES - FREE_FORM and not isinstance(value, dict | None):
        yield f"write the arguments of `{key}` as a mapping;"
    elif key == "register" and str(value).startswith("ansible_"):
        yield f"`{value}` would steer Ansible itself, choose another name;"
    elif key in FROM_CONTROLLER and isinstance(value, dict):
        yield from source_faults(key, value, role)
    elif key == "ansible.builtin.import_role" and value.get("name") not in SHARED_ROLES:
        yield f"import only the roles {', '.join(sorted(SHARED_ROLES))};"
    elif key in TASK_FILES:
        if isinstance(value, dict) and set(value) != {"file"}:
            yield f"`{key}` takes `file` and nothing else;"
        elif not is_in_role(role, ("tasks", "handlers"), value["file"] if isinstance(value, dict) else value):
            yield f"`{key}: {str(value)[:60]}` names no file of the role;"


def source_faults(key: str, given: dict[str, Any], role: Path) -> Iterator[str]:
    """Yield the faults of a module that sends a file, or makes a template of one, to a server."""
    source, folder = given.get("src"), "templates" if key.endswith("template") else "files"
    if source and given.get("remote_src") is not True and not is_in_role(role, (folder,), source):
        yield f"`src: {str(source)[:60]}` would read any file of the controller, name one of the role in {folder}/;"
    if any(MARK_ARGUMENT.fullmatch(str(name)) for name in given):
        yield "a template with other marks than {{ }} and {% %} cannot be checked;"


def is_in_role(role: Path, folders: tuple[str, ...], name: Any) -> bool:
    """Tell whether a name is that of something in one of the role's folders, where Ansible looks first."""
    return bool(PLAIN_PATH.fullmatch(str(name))) and any((role / folder / str(name)).exists() for folder in folders)


def value_faults(value: Any) -> Iterator[str]:
    """Yield what is wrong in a YAML value: lookups in its templates, and variables that steer Ansible itself."""
    if isinstance(value, dict):
        for key, item in value.items():
            if str(key).startswith("ansible_") or (key in NAMING and str(item).startswith("ansible_")):
                yield f"`{key}: {str(item)[:40]}` would steer Ansible itself, choose another name;"
            if "{" in str(key):
                yield f"`{str(key)[:60]}` is a name made by a template, write it out;"
            yield from value_faults(key)
            yield from value_faults(item)
    elif isinstance(value, list):
        for item in value:
            yield from value_faults(item)
    elif isinstance(value, str):
        yield from template_faults(value)


def texts_of(value: Any) -> Iterator[str]:
    """Yield the texts of a YAML value."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]:
        yield from texts_of(item) if isinstance(item, dict | list) else [str(item)]


def expression_faults(value: Any) -> Iterator[str]:
    """Yield the faults of expressions, which have no braces: what a template in one yields would be evaluated too."""
    for text in texts_of(value):
        try:
            parser = Parser(JINJA, text, state="variable")
            tree, is_whole = parser.parse_expression(), parser.stream.eos
        except TemplateSyntaxError:
            is_whole = False
        if is_whole:
            yield from tree_faults(nodes.Output([tree]))
        else:
            yield f"`{text[:60]}` is no expression, write one without {{{{ }}}};"


def template_faults(text: str) -> Iterator[str]:
    """Yield the faults of a template: lookups run on the controller, and other files are read there."""
    if text.startswith(MARKS):
        yield f"`{MARKS}` makes other marks count than {{{{ }}}} and {{% %}}, which cannot be checked;"
        return
    if "{" not in text:
        return
    try:
        tree = JINJA.parse(text)
    except TemplateSyntaxError as error:
        yield f"a template cannot be read (line {error.lineno}): {str(error.message)[:100]};"
        return
    yield from tree_faults(tree)


def tree_faults(tree: nodes.Node) -> Iterator[str]:
    """Yield the faults of a template or an expression."""
    if any(name.name in LOOKUPS for name in tree.find_all(nodes.Name)):
        yield "a lookup runs on the controller, use variables or a module;"
    if next(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)), None):
        yield "a template includes another file of the controller, write it out;"
    for name in applied(tree):
        if name is None or name.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.") in READERS:
            yield f"`{name or 'a name that is made'}` as a filter or test reads the controller, use a module;"
    if any(isinstance(const.value, str) and TEMPLATE.search(const.value) for const in tree.find_all(nodes.Const)):
        yield "a text in an expression is a template itself, write it out;"


def applied(tree: nodes.Node) -> Iterator[str | None]:
    """Yield the names of the filters and tests of a template, None for one that is not written out."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        yield node.name
        if isinstance(node, nodes.Filter) and node.name in BY_NAME:
            at = 1 if node.name.endswith("attr") else 0
            for argument in node.args[at : at + 1]:
                yield argument.value if isinstance(argument, nodes.Const) else None
