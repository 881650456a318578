"""Calls of functions about the inputs of steps, each made once for all inputs that are the same to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from apps.system.errors import DomainError


class CallCache:
    """Calls functions with the keys of an input that they name; the same keys again give the answer of before."""

    def __init__(self) -> None:
        self.known: dict[tuple[Callable[..., Any], bytes], Any] = {}

    def call(self, function: Callable[..., Any], input: Mapping[str, Any]) -> Any:
        """Return what the function returns for an input. Raises the DomainError that it raises."""
        given = {name: input[name] for name in named(function) if name in input}
        key = function, orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
        if key not in self.known:
            try:
                self.known[key] = function(**given)
            except DomainError as refusal:
                self.known[key] = refusal
        answer = self.known[key]
        if isinstance(answer, DomainError):
            raise answer
        return answer


@lru_cache(maxsize=64)
def named(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the arguments that a function takes by name."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD)
