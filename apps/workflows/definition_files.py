"""Definition files: YAML read with the line and column of everything in it, so that errors name the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from apps.system.errors import TooMuchWork
from apps.system.work_limit import limited_work
from apps.system.yaml_problems import YAMLProblem, problem_of
from apps.workflows.definition import MAX_BYTES, Definition, build, parse
from apps.workflows.errors import DefinitionError, raise_faults

MAX_VALUES = 50_000  # with each alias counted as all that it stands for
MAX_DEPTH = 50
MAX_WORK = 50_000  # units; 2,000 steps of which each needs another take 37,000
MAX_REFERENCE_WORK = 200_000  # units, for what its steps give to operations
MAX_MESSAGE = 1000
MAX_BITS = 63
Path = tuple[str | int, ...]
Place = tuple[int, int]
Refer = Callable[[Definition, str], Iterator[DefinitionError]]


# libyaml's parser is fast and gives events without recursion; its loader overflows the stack on deep nesting, so that
# the depth is checked by the events first.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UniqueKeys(Loader):
    """Reads YAML and refuses a key that is given twice, of which the plain loader would silently keep one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Return the mapping. Raises YAMLProblem."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise YAMLProblem(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def parse_text(text: str, name: str, *, checked: bool = False, refer: Refer | None = None) -> Definition:
    """Return the definition in a YAML text, which may have been checked before; `refer` finds what it lacks.

    Raises DefinitionError: `name:line:column: what is wrong. What to do`.
    """
    node: Any = None
    try:
        with limited_work(MAX_WORK):
            check_size(text)
            loader = UniqueKeys(text)
            node = loader.get_single_node()
            if count_values(node, {}) > MAX_VALUES:
                raise DefinitionError(f"it holds more than {MAX_VALUES} values", hint="Use fewer aliases, or split it.")
            raw = plain(loader.construct_document(node) if node else None)
            definition = rebuilt(raw) if checked else parse(raw)
        with limited_work(MAX_REFERENCE_WORK):
            raise_faults(refer(definition, name) if refer else ())
        return definition
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise located(name, place, problem_of(error), "") from error
    except TooMuchWork as error:
        raise located(name, (1, 1), "checking it takes too much work", "Split it into several workflows.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, DefinitionError):
            raise_faults(located_faults(name, node, error))
        raise located(name, (1, 1), "it is no YAML", "Save it as UTF-8 text.") from error


def rebuilt(raw: Any) -> Definition:
    """Return the definition of data that was checked, maybe by an earlier version. Raises DefinitionError."""
    try:
        return build(raw)
    except (KeyError, TypeError, AttributeError, ValueError):
        return parse(raw)  # tells what is wrong


def check_size(text: str) -> None:
    """Refuse a text that is too long, holds too much or is nested too deeply, before anything is made of it.

    Raises DefinitionError, YAMLError.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise DefinitionError(f"it is longer than {MAX_BYTES} bytes", hint="Split it into several workflows.")
    depth = 0
    event: Any
    for count, event in enumerate(yaml.parse(text, Loader=Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if count > 2 * MAX_VALUES:
            raise DefinitionError(f"it holds more than {MAX_VALUES} values", hint="Split it into several workflows.")
        if depth > MAX_DEPTH:
            hint = f"At most {MAX_DEPTH} levels can be used."
            raise YAMLProblem(problem=f"it is nested too deeply. {hint}", problem_mark=event.start_mark)


def count_values(node: Any, counted: dict[int, int]) -> int:
    """Count the values of a node, each alias as all that it stands for. Raises ValueError for one inside itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = -1
        items = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        counted[id(node)] = 1 + sum(count_values(item, counted) for item in items)
    if counted[id(node)] < 0:
        raise ValueError("an alias stands for what it is in")
    return counted[id(node)]


def plain(value: Any, path: Path = ()) -> Any:
    """Return data as JSON has it: YAML's dates become texts. Raises DefinitionError for what it cannot hold."""
    if isinstance(value, dict):
        for place, key in enumerate(value):
            if not isinstance(key, str):
                hint = "Put it in quotes; YAML reads on, off, yes and no as true and false."
                raise DefinitionError(f"key {place + 1} here is no text", path=path, hint=hint)
        return {key: plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        hint = "Write it as a text, in quotes."
        raise DefinitionError(f"a number of more than {MAX_BITS} bits", path=path, hint=hint)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def located(name: str, place: Place, what: str, hint: str) -> DefinitionError:
    """Return the error with file, line and column in front, and what to do behind."""
    line, column = place
    text = f"{name}:{line}:{column}: {what[:MAX_MESSAGE].rstrip('.')}."
    error = DefinitionError(f"{text} {hint}".strip(), hint=hint)
    error.place = place
    return error


def located_faults(name: str, node: Any, error: DefinitionError) -> list[DefinitionError]:
    """Return all faults of an error with their places, in the order of the file."""
    found = [located(name, place_of(node, fault.path), str(fault), fault.hint) for fault in error.faults]
    return sorted(found, key=lambda fault: fault.place)


def place_of(node: Any, path: Path) -> Place:
    """Return line and column of what the path leads to, or of the last thing on the way that is there."""
    mark = node.start_mark if node else None
    for key in path:
        found = next((pair for pair in pairs(node) if pair[0] == key), None)
        if found is None:
            break
        _, mark, node = found
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def pairs(node: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Yield key or index, mark and value of each item of a node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.value, key.start_mark, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield index, value.start_mark, value
