"""Walks the resolver: every path and method of the API, whoever declared it."""

import re
from dataclasses import dataclass

from django.urls import URLPattern, get_resolver
from django.utils.module_loading import import_string

EXAMPLES = {"id": "550e8400-e29b-41d4-a716-446655440000", "name": "upcloud"}


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    view: type
    action: str

    def __str__(self):
        return f"{self.method} {self.path}"

    @property
    def url(self):
        """A path with something in place of its parameters."""
        return re.sub(r"\{(\w+)\}", lambda found: EXAMPLES[found[1]], self.path)

    @property
    def is_open(self):
        """Whether it needs no token."""
        return not hasattr(self.view, "permissions") or not self.view.authentication_classes


def routes():
    """Return all routes of the API."""
    return [
        route
        for path, pattern in walk(get_resolver().url_patterns)
        if path.startswith(("/v1/", "/health"))
        for route in of(path, pattern.callback)
    ]


def walk(patterns, prefix="/"):
    for pattern in patterns:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", getattr(pattern.pattern, "_route", "^"))
        if isinstance(pattern, URLPattern):
            yield path, pattern
        else:
            yield from walk(pattern.url_patterns, path)


def of(path, view):
    shown = import_string(view.imports) if hasattr(view, "imports") else getattr(view, "cls", None) or view.view_class
    actions = getattr(view, "actions", None) or {"get": "get"}
    return [Route(method.upper(), path, shown, action) for method, action in actions.items() if method != "head"]
