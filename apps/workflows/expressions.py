"""The `{{ … }}` of definitions: sandboxed, typed, strict and bounded. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import StrictUndefined, TemplateError, Undefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from apps.workflows.errors import ExpressionError

LONGEST = 1_000_000
MARKS = ("{{", "{%", "{#")
EDGES = re.compile(r"^\{\{[-+]?|[-+]?\}\}$")


class Sandbox(ImmutableSandboxedEnvironment):
    """Evaluates expressions over plain data; what could grow without bound, or differ between two runs, is missing."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        self.globals = {"range": self.globals["range"]}
        for name in ("random", "pprint", "format", "indent", "center", "xmlattr", "urlize"):
            del self.filters[name]
        self.filters["pick"] = pick

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a key of an object before any method of the same name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply and divide numbers only, not texts and lists; powers are refused."""
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise ExpressionError(f"{operator} is not allowed here")
        return left * right if operator == "*" else left % right


def pick(each: list[Mapping[str, Any]], **paths: str) -> list[dict[str, Any]]:
    """Return a list of objects of chosen values: `steps.x.each | pick(id='result.id', name='input.name')`."""
    return [{key: at(item, path) for key, path in paths.items()} for item in each]


def at(value: Any, path: str) -> Any:
    """Return the value at a dotted path."""
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ExpressionError(f"there is no {path}")
        value = value[key]
    return value


SANDBOX = Sandbox()


def evaluate(value: Any, names: Mapping[str, Any]) -> Any:
    """Return the value with every expression in it evaluated, at any depth. Raises ExpressionError.

    A text that is one expression gives what the expression gives (a number, a list); any other gives text.
    """
    if isinstance(value, dict):
        return {key: evaluate(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, names) for item in value]
    return run(value, names) if isinstance(value, str) and is_template(value) else value


def is_template(text: str) -> bool:
    """Tell whether there is anything to evaluate."""
    return any(mark in text for mark in MARKS)


def run(source: str, names: Mapping[str, Any]) -> Any:
    """Evaluate one text. Raises ExpressionError."""
    try:
        result = compiled(source)(names)
        return bounded(plain(result))
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ExpressionError(f"{source.strip()}: {error}") from error


def plain(result: Any) -> Any:
    """Return what JSON can hold: lists for whatever else can be gone through. Raises UndefinedError."""
    if isinstance(result, Undefined):
        result._fail_with_undefined_error()
    return list(result) if isinstance(result, Iterator | tuple | range | set) else result


def bounded(result: Any) -> Any:
    """Return a result that JSON can hold in `LONGEST` bytes. Raises ValueError, TypeError for any other."""
    if not isinstance(result, bool | int | float | None) and len(orjson.dumps(result)) > LONGEST:
        raise ValueError(f"the result is longer than {LONGEST} characters")
    return result


@lru_cache(maxsize=4096)
def compiled(source: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function from names to the value of a text."""
    body = SANDBOX.parse(source.strip()).body
    if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1:
        inside = EDGES.sub("", source.strip())
        return SANDBOX.compile_expression(inside, undefined_to_none=False)
    return SANDBOX.from_string(source).render


def sources(value: Any) -> Iterator[str]:
    """Yield every text in the value that has something to evaluate."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from sources(item)
    elif isinstance(value, str) and is_template(value):
        yield value


def steps_read(value: Any) -> set[str]:
    """Return the names of the steps that the value's expressions read. Raises ExpressionError.

    `steps` may only be followed by a step's name, so that what an expression depends on is known before it is run.
    """
    return {name for source in sources(value) for name in steps_in(source)}


def names_read(value: Any) -> set[str]:
    """Return the top names that the value's expressions read. Raises ExpressionError."""
    return {name for source in sources(value) for name in meta.find_undeclared_variables(parsed(source))}


def steps_in(source: str) -> set[str]:
    """Return the names of the steps that one text reads. Raises ExpressionError."""
    tree = parsed(source)
    whole = [name for name in tree.find_all(nodes.Name) if name.name == "steps"]
    named = {node.attr for node in tree.find_all(nodes.Getattr) if is_steps(node.node)}
    keyed = [node for node in tree.find_all(nodes.Getitem) if is_steps(node.node)]
    named |= {node.arg.value for node in keyed if isinstance(node.arg, nodes.Const)}
    uses = sum(1 for node in tree.find_all(nodes.Getattr) if is_steps(node.node)) + len(keyed)
    if len(whole) != uses or any(not isinstance(node.arg, nodes.Const) for node in keyed):
        raise ExpressionError(f"{source.strip()}: write steps.<name>")
    return named


def is_steps(node: nodes.Node) -> bool:
    """Tell whether the node is the name `steps`."""
    return isinstance(node, nodes.Name) and node.name == "steps"


def parsed(source: str) -> nodes.Template:
    """Return the syntax tree of a text. Raises ExpressionError."""
    try:
        compiled(source)
        return SANDBOX.parse(source)
    except (TemplateError, AssertionError) as error:
        raise ExpressionError(f"{source.strip()}: {error}") from error
