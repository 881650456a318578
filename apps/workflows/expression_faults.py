"""Why an expression cannot be evaluated, said in sentences of our own. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.utils import missing

from apps.workflows.errors import ExpressionError

UNKNOWN = re.compile(r"No (filter|test) named '(\w{1,60})'")
# The first that fits counts.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (SecurityError, "it reads what is not allowed here"),
    (TemplateSyntaxError, "it is no expression; check its brackets, quotes and operators"),
    (ZeroDivisionError, "it divides by zero"),
    (ArithmeticError, "a number in it becomes too large"),
    (NameError, "a number in it becomes too large"),  # which Jinja writes as `inf` when it folds constants
    (TypeError, "values in it are of types that do not go together; convert them, such as by | int or | string"),
    (LookupError, "it reads a place where nothing is"),
    (AttributeError, "it reads something that a value does not have"),
    (ValueError, "a value in it has a form that cannot be used"),
)


class Missing(StrictUndefined):
    """What an expression reads and is not there: any use of it is refused."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name: Any = self._undefined_name
        shown = str(name)[:60]
        if self._undefined_hint:
            return "there is nothing there, such as in an empty list, or it may not be read"
        if self._undefined_obj is missing:
            return f"{shown} is not there"
        return f"there is no {shown}" if isinstance(self._undefined_obj, Mapping) else f"a value has no {shown}"


def reason(error: Exception) -> str:
    """Say why an expression failed, without a full stop."""
    if isinstance(error, ExpressionError):
        return str(error)
    if type(error) is UndefinedError:
        return error.message or "something in it is not there"  # a sentence of `Missing`
    if isinstance(error, TemplateSyntaxError | TemplateRuntimeError) and (found := UNKNOWN.search(error.message or "")):
        return f"there is no {found[1]} {found[2]}"
    sentences = (sentence for kind, sentence in REASONS if isinstance(error, kind))
    return next(sentences, "it cannot be evaluated")
