"""Which tasks of a role would run: their conditions are weighed as far as they can be known without the machine.

Import this module inside the functions that use it: Jinja takes long to import.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from apps.taskservs.catalog_definition import Definition, RoleTask

JINJA = ImmutableSandboxedEnvironment(autoescape=False)  # noqa: S701 - conditions, no HTML
HOST, HOSTS = "inventory_hostname", "ansible_play_hosts_all"


@cache
def compiled(expression: str) -> tuple[frozenset[str], Callable[..., Any] | None]:
    """Return what an expression refers to, and the expression itself, or None when it uses what only Ansible knows."""
    try:
        needed = frozenset(meta.find_undeclared_variables(JINJA.parse("{{ " + expression + " }}")))
        return needed, JINJA.compile_expression(expression)
    except TemplateSyntaxError:
        return frozenset(), None


def variables_of(
    definition: Definition, version: str, config: dict[str, Any], hosts: list[str], host: str
) -> dict[str, Any]:
    """Return a role's variables on a host: its defaults, the configuration over them, and what follows from others."""
    given = {f"{definition.name}_{key}": value for key, value in {**config, "version": version}.items()}
    role = definition.role_of(hosts.index(host))
    known: dict[str, Any] = {HOSTS: hosts, HOST: host, "taskserv_role": role, f"{definition.name}_role": role}
    for name, value in {**definition.defaults, **given}.items():
        if name in given or not is_template(value):
            known[name] = value
            continue
        needed, evaluate = compiled(value.strip()[2:-2].strip())
        if evaluate and needed <= known.keys():
            known[name] = evaluate(known)
    return known


def is_template(value: Any) -> bool:
    """Tell whether a default follows from others."""
    return isinstance(value, str) and "{{" in value


def hosts_of(entry: RoleTask, variables: dict[str, dict[str, Any]]) -> list[str]:
    """Return the hosts (of those whose variables are given) that a task would run on.

    What only the machine can tell is taken as true.
    """
    return [host for host, known in variables.items() if all(holds(each, known) for each in entry.conditions)]


def holds(condition: str, variables: dict[str, Any]) -> bool:
    """Tell whether a condition holds, as far as the variables tell."""
    needed, evaluate = compiled(condition)
    return bool(evaluate(variables)) if evaluate and needed <= variables.keys() else True
