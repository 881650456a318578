"""The playbook, inventory and variables of a run, as files in its directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apps.taskservs.ansible.requests import RolePlay, RunRequest

CONNECTION = "supervised_ssh"  # plugins/connection
PYTHON = "/usr/bin/python3"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server as a run reaches it.

    `host_key` is its pinned SSH key, `ordered_host_key` the one that came with its order and that it may still have.
    """

    server_id: str
    hostname: str
    address: str
    port: int
    workspace_id: int
    host_key: str = ""
    ordered_host_key: str = ""

    @property
    def key_name(self) -> str:
        """The name of the file with the key that opens it."""
        return f"key-{self.workspace_id}"


class LiteralDumper(yaml.SafeDumper):
    """Writes variables as `!unsafe`: a text that a client sent is a value to Ansible, never a template to evaluate."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values in full."""
        return True


class LiteralValues(dict[str, Any]):
    """Variables by name. The tag is on all together: on a single text, Ansible would read "7.0" as a number."""


def literal(dumper: yaml.SafeDumper, values: LiteralValues) -> yaml.Node:
    """Represent variables that Ansible must not evaluate."""
    return dumper.represent_mapping("!unsafe", values.items())


LiteralDumper.add_representer(LiteralValues, literal)


def plain(value: Any) -> Any:
    """Return a value of lists and dictionaries with texts as keys."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def write(folder: Path, request: RunRequest, targets: Sequence[Target]) -> None:
    """Write `playbook.yml`, `inventory.yml`, `host_vars/` and the plays' variables, for the owner's eyes only."""
    by_id = {target.server_id: target for target in targets}
    write_yaml(folder / "inventory.yml", inventory(request, targets))
    (folder / "host_vars").mkdir(mode=0o700)
    for target in targets:
        write_values(folder / "host_vars" / f"{target.hostname}.yml", host_variables(folder, request, target))
    plays, seen = [], set[str]()
    for number, play in enumerate(request.plays):
        write_values(folder / f"variables-{number}.yml", {**play.variables, **play.secret_variables})
        hostnames = [by_id[id].hostname for id in play.server_ids]
        gathers = not seen.issuperset(play.server_ids)  # what was gathered is kept for the later plays
        plays.append(play_of(folder, number, play, hostnames) | {"gather_facts": gathers})
        seen.update(play.server_ids)
    write_yaml(folder / "playbook.yml", plays)


def play_of(folder: Path, number: int, play: RolePlay, hostnames: list[str]) -> dict[str, Any]:
    """Return one play. No value of a variable is in it: Ansible prints parts of a playbook in its errors."""
    tasks: list[dict[str, Any]] = []
    for file in play.tasks:
        role = {"name": play.role_path, "tasks_from": file}
        tasks += [{"name": file, "ansible.builtin.import_role": role}, {"ansible.builtin.meta": "flush_handlers"}]
    return {
        "name": play.taskserv,
        "hosts": hostnames,
        "force_handlers": True,
        "any_errors_fatal": play.stop_at_failure,
        "vars_files": [str(folder / f"variables-{number}.yml")],
        "tasks": tasks,
        **({"serial": play.serial} if play.serial else {}),
    }


def inventory(request: RunRequest, targets: Iterable[Target]) -> dict[str, Any]:
    """Return the inventory: all servers, in the request's order, and a group for each taskserv."""
    names = {target.server_id: target.hostname for target in targets}
    groups: dict[str, dict[str, Any]] = {}
    for play in request.plays:
        hosts = groups.setdefault(play.taskserv, {"hosts": {}})["hosts"]
        hosts |= {names[id]: None for id in play.server_ids}
    return {"all": {"hosts": dict.fromkeys(names.values()), "children": groups}}


def host_variables(folder: Path, request: RunRequest, target: Target) -> dict[str, Any]:
    """Return how a server is reached, and the variables that are its own."""
    own: dict[str, Any] = {}
    for play in request.plays:
        own |= play.host_variables.get(target.server_id, {})
    return own | {
        "ansible_connection": CONNECTION,
        "ansible_host": target.address,
        "ansible_port": target.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(folder / target.key_name),
        "ansible_python_interpreter": PYTHON,
        "server_id": target.server_id,
    }


def write_yaml(path: Path, value: Any) -> None:
    """Write a file of our own words."""
    write_private(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def write_values(path: Path, values: dict[str, Any]) -> None:
    """Write variables, their texts as literals."""
    text = yaml.dump(LiteralValues(plain(values)), Dumper=LiteralDumper, sort_keys=False, allow_unicode=True)
    write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read, not even while it is written."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)
