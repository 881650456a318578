"""What can be installed: a folder each, with a description and an Ansible role, in up to three kinds of catalog.

A workspace's own `taskservs/` comes before the operator's TASKSERV_PATHS, and these before what is built in: the first
entry of a name counts. An entry with a fault is left out and reported by the system check, unless it is built in.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.taskservs.catalog_definition import Definition, Endpoint, RoleTask, ServerCount
from apps.taskservs.catalog_format import FILES, OPTIONAL_FILES, STAGES, entry_of
from apps.taskservs.catalog_yaml import BadEntry, load_yaml
from apps.taskservs.errors import BadDefinition, RequirementCycle, UnknownTaskserv

ROOT = Path(__file__).parent / "catalog"
BUILT_IN, OPERATOR, WORKSPACE = "built-in", "operator", "workspace"
Catalog = dict[str, Definition]


def load_catalog(workspace_path: str = "") -> Catalog:
    """Return all definitions by name, sorted; with a workspace's path, also the workspace's own."""
    own, _ = workspace_catalog(workspace_path) if workspace_path else ({}, {})
    return dict(sorted((built_in() | operators(tuple(settings.TASKSERV_PATHS))[0] | own).items()))


def definition_named(name: str, workspace_path: str = "") -> Definition:
    """Return the definition that a request's body names. Raises UnknownTaskserv, BadDefinition."""
    if workspace_path:
        own, bad = workspace_catalog(workspace_path)
        if name in bad:
            raise BadDefinition(name=name, what=" ".join(bad[name])[:1000], field="name")
    known = load_catalog(workspace_path)
    if name not in known:
        raise UnknownTaskserv(name=name, hint=hint(name, known), field="name")
    return known[name]


def secret_options(name: str, *workspace_paths: str) -> frozenset[str]:
    """Return the options that are secret in any entry of a name, those included that another one replaces."""
    catalogs = [built_in(), operators(tuple(settings.TASKSERV_PATHS))[0]]
    catalogs += [workspace_catalog(path)[0] for path in workspace_paths if path]
    return frozenset(key for catalog in catalogs if name in catalog for key in catalog[name].secrets)


def with_requirements(
    definition: Definition, workspace_path: str = "", above: tuple[str, ...] = ()
) -> list[Definition]:
    """Return what has to be installed for a definition, in order, itself last.

    Raises UnknownTaskserv, BadDefinition, RequirementCycle.
    """
    if definition.name in above:
        raise RequirementCycle(names=" → ".join([*above, definition.name]), field="name")
    found: Catalog = {}
    for name in definition.requires:
        required = definition_named(name, workspace_path)
        inner = with_requirements(required, workspace_path, (*above, definition.name))
        found |= {each.name: each for each in inner}
    return [*found.values(), definition]


def hint(given: str, known: Any) -> str:
    """Return the end of a sentence: the nearest of the known names, or all of them."""
    near = get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."


# ── the three kinds of catalog ────────────────────────────────────────────────────────────────────────────────────────
@cache
def built_in() -> Catalog:
    """Return what is part of the release, read once; that it has no faults, the tests of the release show."""
    return {path.parent.name: built(load_yaml(path), path.parent) for path in sorted(ROOT.glob("*/taskserv.yaml"))}


@cache
def operators(paths: tuple[str, ...]) -> tuple[Catalog, dict[str, list[str]]]:
    """Return what is in directories of TASKSERV_PATHS, and the faults by name; read once, so a restart reads anew."""
    found, bad = {}, {}
    for path in reversed(paths):
        entries, faults = readable(Path(path), OPERATOR)
        found.update(entries)
        bad.update(faults)
    return found, bad


def workspace_catalog(workspace_path: str) -> tuple[Catalog, dict[str, list[str]]]:
    """Return what is in a workspace's `taskservs/`, and the faults by name.

    Nothing unless the directory, links followed, is below one of TASKSERV_WORKSPACE_ROOTS. Changed files are read anew.
    """
    directory = (Path(workspace_path) / "taskservs").resolve()
    allowed = any(directory.is_relative_to(Path(root).resolve()) for root in settings.TASKSERV_WORKSPACE_ROOTS)
    if not allowed or not directory.is_dir():
        return {}, {}
    return read_again(directory, tuple(stamps(directory)), settings.TASKSERV_TRUST_ROLES)


@lru_cache(maxsize=64)
def read_again(directory: Path, stamps: tuple[Any, ...], trusted: bool) -> tuple[Catalog, dict[str, list[str]]]:
    """Read a directory; the arguments are what a cached reading depends on."""
    return readable(directory, WORKSPACE)


def stamps(directory: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, time of the last change, which no program can set, and size of each file below a directory."""
    for path in sorted(directory.rglob("*")):
        facts = path.lstat()
        yield str(path), facts.st_ctime_ns, facts.st_size


def readable(directory: Path, source: str) -> tuple[Catalog, dict[str, list[str]]]:
    """Return a directory's entries without fault, and the faults of the others, by name."""
    found: Catalog = {}
    bad: dict[str, list[str]] = {}
    for path in sorted(directory.glob("*/taskserv.yaml")):
        try:
            found[path.parent.name] = read(path.parent, source)
        except BadEntry as error:
            bad[path.parent.name] = error.faults
    return found, bad


# ── one entry ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def read(directory: Path, source: str = BUILT_IN) -> Definition:
    """Read and validate one entry. Raises BadEntry."""
    given = entry_of(directory)
    if source != BUILT_IN and not settings.TASKSERV_TRUST_ROLES:
        from apps.taskservs.role_safety import controller_faults

        if faults := controller_faults(directory):
            raise BadEntry(faults)
    return built(given, directory, source)


def built(given: dict[str, Any], directory: Path, source: str = BUILT_IN) -> Definition:
    """Return the definition of a valid entry. Raises BadEntry for a file of its role that cannot be read."""
    roles = tuple(given["roles"])
    plain = ("name", "title", "description", "category", "default_version", "options")
    lists = ("versions", "systems", "requires", "conflicts", "needs")
    facts: dict[str, Any] = {**{key: given[key] for key in plain}, **{key: tuple(given[key]) for key in lists}}
    return Definition(
        **facts,
        servers=ServerCount(**given["servers"]),
        roles=roles,
        endpoints=tuple(endpoint(each, roles) for each in given["endpoints"]),
        stages=tuple(given.get("stages", STAGES)),
        defaults=load_yaml(directory / "defaults" / "main.yml"),
        tasks=dict(task_files(directory)),
        directory=directory,
        source=source,
    )


def endpoint(given: dict[str, Any], roles: tuple[str, ...]) -> Endpoint:
    """Return an endpoint; without roles of its own, servers of all roles have it."""
    return Endpoint(**{**given, "roles": tuple(given.get("roles", roles))})


def task_files(directory: Path) -> Iterator[tuple[str, tuple[RoleTask, ...]]]:
    """Yield the tasks of each file that the format knows and that is there."""
    for file in [*FILES, *OPTIONAL_FILES]:
        path = directory / "tasks" / f"{file}.yml"
        if path.is_file():
            tasks = load_yaml(path) or []
            if not isinstance(tasks, list) or not all(isinstance(task, dict) and "name" in task for task in tasks):
                raise BadEntry([f"{directory.name}/tasks/{file}.yml:1: must be a list of tasks, each with a `name`."])
            yield file, tuple(flat(tasks))


def flat(tasks: list[dict[str, Any]], above: tuple[str, ...] = ()) -> Iterator[RoleTask]:
    """Yield tasks, those within a block, with its conditions, instead of the block itself.

    What a purge removes is a task of its own, as emulated checks list tasks by name.
    """
    for task in tasks:
        given = task.get("when", [])
        conditions = (*above, *map(str, given if isinstance(given, list) else [given]))
        if "block" in task:
            yield from flat(task["block"], conditions)
        else:
            yield RoleTask(str(task.get("name", "")), conditions)
        if "remove_packages_data" in (task.get("vars") or {}):  # what the shared role does with it in a purge
            yield RoleTask("Remove data, logs and settings", (*conditions, "taskserv_purge | default(false)"))
