"""The sandbox in which expressions are evaluated: its filters, tests and operators count and bound their work. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import islice
from typing import Any

from jinja2 import Undefined, nodes, pass_environment, pass_eval_context
from jinja2.compiler import CodeGenerator
from jinja2.filters import do_join, do_sum
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import htmlsafe_json_dumps

from apps.system.work_limit import spend
from apps.workflows.errors import ExpressionError
from apps.workflows.expression_faults import Missing

LONGEST = 1_000_000  # of a result
LETTERS_PER_UNIT, ITEMS_PER_UNIT, TESTED_PER_UNIT, YIELDED_PER_UNIT = 1000, 10, 100, 16
MAX_NAMES = 10_000
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    **{"eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "gteq": operator.ge},
    **{"lt": operator.lt, "lteq": operator.le},
    "in": lambda value, values: value in values,
    "notin": lambda value, values: value not in values,
}
# What may be called on texts and objects, and the filters that are missing.
METHODS = {
    *("upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines"),
    *("partition", "rpartition", "startswith", "endswith", "removeprefix", "removesuffix", "count", "index", "find"),
    *("isdigit", "isalpha", "isalnum", "isupper", "islower", "keys", "values", "items", "get"),
}
UNBOUNDED = (
    *("random", "pprint", "format", "indent", "center", "xmlattr", "urlize", "batch", "slice", "wordwrap"),
    "striptags",
)


class BoundedCode(CodeGenerator):
    """Code that joins, compares and slices by functions of the sandbox, which count the work."""

    def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:  # noqa: N802 - the library's name
        """Write the code of `a ~ b`."""
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Any) -> None:  # noqa: N802 - the library's name
        """Write the code of `a in b` and `a < b <= c`."""
        self.write("environment.compare(")
        self.visit(node.expr, frame)
        for operand in node.ops:
            self.write(f", {operand.op!r}, ")
            self.visit(operand.expr, frame)
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Any) -> None:  # noqa: N802 - the library's name
        """Write the code of `a[1:2]`; any other is the library's."""
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.cut(")
        self.visit(node.node, frame)
        for part in (node.arg.start, node.arg.stop, node.arg.step):
            self.write(", ")
            self.visit(part, frame) if part is not None else self.write("None")
        self.write(")")


class Sandbox(ImmutableSandboxedEnvironment):
    """Evaluates expressions over plain data, counting the work.

    What could grow without bound, or differ between two runs, is missing.
    """

    intercepted_binops = frozenset(["*", "**", "%", "+"])
    code_generator_class = BoundedCode

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False)
        self.globals = {"range": self.globals["range"]}
        for name in UNBOUNDED:
            del self.filters[name]
        self.filters.update(pick=pick, combine=combine, new_names=new_names)
        self.filters.update(replace=replace, join=join, tojson=to_json, sum=add_up)
        self.filters = {name: metered(each, ITEMS_PER_UNIT) for name, each in dict[str, Any](self.filters).items()}
        self.tests = {name: metered(each, TESTED_PER_UNIT) for name, each in dict[str, Any](self.tests).items()}

    def concat(self, parts: Iterable[Any]) -> str:
        """Return the parts as one text. Raises ExpressionError when it would be too long."""
        texts, length = [], 0
        for part in parts:
            texts.append(str(part))
            length += len(texts[-1])
            spend(len(texts[-1]) // LETTERS_PER_UNIT)
            refuse_longer(length)
        return "".join(texts)

    def compare(self, left: Any, *rest: Any) -> Any:
        """Return whether values compare, in a chain, as operators between them say, counting the work."""
        result = True
        for compared, right in zip(rest[::2], rest[1::2], strict=True):
            spend(1 + size_of(left, TESTED_PER_UNIT) + size_of(right, TESTED_PER_UNIT))
            if not (result := COMPARISONS[compared](left, right)):
                break
            left = right
        return result

    def cut(self, value: Any, *places: Any) -> Any:
        """Return a slice, counting the work."""
        spend(1 + size_of(value, TESTED_PER_UNIT))
        return value[slice(*places)]

    def call(self, context: Any, obj: Any, /, *args: Any, **given: Any) -> Any:
        """Call `range` or a method, counting the work."""
        spend(1 + size_of(getattr(obj, "__self__", None), ITEMS_PER_UNIT))
        result = super().call(context, obj, *args, **given)
        spend(0 if isinstance(result, range) else size_of(result, ITEMS_PER_UNIT))
        return result

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a key of an object before any method of the same name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow `range` and the METHODS, whose result is bounded by what they are called on. Raises ExpressionError."""
        name = "" if isinstance(obj, Undefined) else getattr(obj, "__name__", "this")
        if name and obj is not self.globals["range"] and name not in METHODS:
            raise ExpressionError(f"{name}() is not allowed here")
        return True

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply and divide numbers only, not texts and lists; powers are refused."""
        if operator == "+":
            return added(left, right)
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise ExpressionError(f"{operator} is not allowed here")
        return left * right if operator == "*" else left % right


def added(left: Any, right: Any) -> Any:
    """Return a sum, or two texts or lists as one. Raises ExpressionError when that would be too long."""
    if isinstance(left, str | list) and isinstance(right, str | list):
        refuse_longer(len(left) + len(right))
        spend(size_of(left, TESTED_PER_UNIT) + size_of(right, TESTED_PER_UNIT))
    return left + right


def size_of(value: Any, items_per_unit: int) -> int:
    """Return the units of work that going through a value takes."""
    if isinstance(value, str):
        return len(value) // LETTERS_PER_UNIT
    return len(value) // items_per_unit if isinstance(value, list | tuple | dict | range) else 0


def metered(function: Callable[..., Any], items_per_unit: int) -> Callable[..., Any]:
    """Count the work of a filter or a test by the size of what it is given and returns."""

    @wraps(function)
    def counted(*given: Any, **named: Any) -> Any:
        spend(1 + sum(size_of(each, items_per_unit) for each in (*given, *named.values())))
        result = function(*given, **named)
        spend(size_of(result, items_per_unit))
        return each_counted(result) if isinstance(result, Iterator) else result

    return counted


def each_counted(items: Iterator[Any]) -> Iterator[Any]:
    """Yield items, counting the work."""
    for number, item in enumerate(items):
        if number % YIELDED_PER_UNIT == 0:
            spend(1)
        yield item


def pick(each: list[Mapping[str, Any]], **paths: str) -> list[dict[str, Any]]:
    """Return a list of objects of chosen values: `steps.x.each | pick(id='result.id', name='input.name')`."""
    return [{key: at(item, path) for key, path in paths.items()} for item in each]


def combine(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the keys of both; those of the second count: `parameters.config | combine({'a': 1})`."""
    return {**first, **second}


def new_names(taken: list[str], prefix: str, count: int) -> list[str]:
    """Return so many names `<prefix>-<number>` that are not taken, the lowest numbers first; none for less than one."""
    used = set(taken)
    refuse_longer(len(str(prefix)) * min(max(count, 0), MAX_NAMES))
    free = (name for number in range(1, MAX_NAMES) if (name := f"{prefix}-{number}") not in used)
    return list(islice(free, max(count, 0)))


@pass_environment
def add_up(environment: Any, items: Any, attribute: str | int | None = None, start: float = 0) -> Any:
    """Return the sum of numbers. Raises ExpressionError for a start that is none, and so for lists."""
    if not isinstance(start, int | float):
        raise ExpressionError("sum adds up numbers only")
    return do_sum(environment, items, attribute, start)


def replace(text: Any, old: Any, new: Any) -> str:
    """Return a text with every occurrence of another replaced. Raises ExpressionError when it would be too long."""
    text, old, new = str(text), str(old), str(new)
    refuse_longer(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@pass_eval_context
def join(context: Any, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    """Return the items as one text. Raises ExpressionError when it would be too long."""
    items = list(value)
    refuse_longer(len(items) * len(str(d)) + sum(len(item) for item in items if isinstance(item, str)))
    return do_join(context, items, d, attribute)


def to_json(value: Any) -> str:
    """Return a value as JSON text, without line breaks."""
    return htmlsafe_json_dumps(value)


def refuse_longer(length: int) -> None:
    """Refuse a text before it is made. Raises ExpressionError."""
    if length > LONGEST:
        raise ExpressionError(f"the result is longer than {LONGEST} characters")


def at(value: Any, path: str) -> Any:
    """Return the value at a dotted path."""
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ExpressionError(f"there is no {path}")
        value = value[key]
    return value


SANDBOX = Sandbox()
