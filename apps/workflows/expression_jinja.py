"""Expressions run, and what they read, by Jinja. Pure.

Used through `expressions`, which imports this when there is an expression: Jinja takes long to import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import TemplateError, Undefined, meta, nodes

from apps.system.errors import TooMuchWork
from apps.system.work_limit import at_least_the_time_taken, limited_work, spend
from apps.workflows.errors import ExpressionError
from apps.workflows.expression_faults import reason
from apps.workflows.expression_sandbox import LONGEST, SANDBOX
from apps.workflows.expressions import Path, Reads, ValuesRead

LONGEST_SOURCE = 1000
MAX_WORK = 100_000  # units, for one text
FAULTS: tuple[type[Exception], ...] = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError)
FAULTS += (AttributeError, NameError, SyntaxError, AssertionError)
# What templates are allowed, so that no short expression takes much time or memory.
STATEMENTS = (nodes.Output, nodes.If)
EDGES = re.compile(r"^\{\{[-+]?|[-+]?\}\}$")


def run(source: str, names: Mapping[str, Any]) -> Any:
    """Evaluate one text. Raises ExpressionError."""
    try:
        with limited_work(MAX_WORK), at_least_the_time_taken():
            spend(4)
            return bounded(plain(compiled(source)(names)))
    except RecursionError as error:
        raise ExpressionError(f"{source.strip()[:200]}: it is nested too deeply") from error
    except TooMuchWork as error:
        raise ExpressionError(f"{source.strip()[:200]}: it takes too much work") from error
    except FAULTS as error:
        raise ExpressionError(f"{source.strip()[:200]}: {reason(error)}") from error


def plain(result: Any) -> Any:
    """Return what JSON can hold: lists for whatever else can be gone through. Raises UndefinedError."""
    if isinstance(result, Undefined):
        result._fail_with_undefined_error()
    return list(result) if isinstance(result, Iterator | tuple | range | set) else result


def bounded(result: Any) -> Any:
    """Return a result that JSON can hold in `LONGEST` bytes. Raises ExpressionError for any other."""
    try:
        length = 0 if isinstance(result, bool | int | float | None) else len(orjson.dumps(result))
    except TypeError as error:
        raise ExpressionError("the result is nothing that JSON can hold") from error
    if length > LONGEST:
        raise ExpressionError(f"the result is longer than {LONGEST} characters")
    return result


@lru_cache(maxsize=4096)
def compiled(source: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function from names to the value of a text. Raises ExpressionError, TooMuchWork."""
    if len(source) > LONGEST_SOURCE:
        raise ExpressionError(f"{source.strip()[:60]} …: it is longer than {LONGEST_SOURCE} characters")
    spend(100 + 2 * len(source))
    tree = SANDBOX.parse(source.strip())
    body = tree.body
    if any(not isinstance(each, STATEMENTS) for each in tree.find_all(nodes.Stmt)):
        raise ExpressionError(f"{source.strip()[:200]}: only {{{{ … }}}} and {{% if … %}} are allowed")
    if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1:
        inside = EDGES.sub("", source.strip())
        return SANDBOX.compile_expression(inside, undefined_to_none=False)
    return SANDBOX.from_string(source).render


@lru_cache(maxsize=4096)
def reads(source: str) -> Reads:
    """Return what one text reads. Raises ExpressionError."""
    tree = parsed(source)
    keys, steps = keys_in(tree), frozenset(steps_in(tree, source))
    return Reads(frozenset(meta.find_undeclared_variables(tree)), steps, keys)  # which folds constants in the tree


def keys_in(tree: nodes.Template) -> dict[str, frozenset[str]]:
    """Return the keys that are read of each top name."""
    found: dict[str, set[str]] = {}
    attributes = ((node, node.attr) for node in tree.find_all(nodes.Getattr))
    items = ((node, node.arg.value) for node in tree.find_all(nodes.Getitem) if isinstance(node.arg, nodes.Const))
    for node, key in (*attributes, *items):
        of: Any = getattr(node, "node", None)
        if isinstance(of, nodes.Name) and isinstance(key, str):
            found.setdefault(of.name, set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items()}


@lru_cache(maxsize=4096)
def values_read(source: str) -> ValuesRead:
    """Return what the result of a text is made of; conditions only choose from that. Raises ExpressionError."""
    found = list(operands(parsed(source)))
    paths = frozenset(path for node in found if (path := path_of(node)))
    return ValuesRead(paths, frozenset(str(node.value) for node in found if isinstance(node, nodes.Const)))


def operands(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the values and constants that a result is made of."""
    if isinstance(node, nodes.Const) or path_of(node):
        yield node
    elif not isinstance(node, nodes.Compare | nodes.Test | nodes.Not):
        left_out = ("test",) if isinstance(node, nodes.CondExpr | nodes.If) else ()
        for child in node.iter_child_nodes(exclude=left_out):
            yield from operands(child)


def path_of(node: nodes.Node) -> Path:
    """Return the path of a value that is read by its name and keys, such as `parameters.login.key`; else nothing."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        key: Any = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = node.arg.value
    else:
        return ()
    above = path_of(node.node)
    return (*above, key) if above else ()


def steps_in(tree: nodes.Template, source: str) -> set[str]:
    """Return the names of the steps that one text reads. Raises ExpressionError."""
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
    except ExpressionError:
        raise
    except RecursionError as error:
        raise ExpressionError(f"{source.strip()[:200]}: it is nested too deeply") from error
    except FAULTS as error:
        raise ExpressionError(f"{source.strip()[:200]}: {reason(error)}") from error
