"""Typed reader of environment variables. A bad value becomes one sentence: variable, value, what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeVar

import environ

T = TypeVar("T")
TRUE, FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
HOST = re.compile(r"\*|\.?[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\]")
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_RULE = "1 to 63 letters, digits, dots, underscores and hyphens, the first and last a letter or digit"
DIRECTORY = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
URL_USER = re.compile(r'//[^\s"]*@')
ORIGIN = re.compile(r"https?://[^\s/?#@]+")
SCHEMES = {"postgres", "postgresql", "sqlite"}
DATABASE = "postgres://user:password@host/name, or sqlite:////absolute/path/of/a/file"
PACKAGE_SOURCES = (
    'JSON such as {"proxy": "http://10.0.0.5:3142", "debian": {"mirror": "http://10.0.0.5/debian"}, "redis": '
    '{"mirror": "http://10.0.0.5/redis", "key": "http://10.0.0.5/redis.asc"}}, each a URL'
)
PACKAGE_URL = re.compile(r"https?://[A-Za-z0-9._~:/@%+-]+")
LONGEST_SHOWN = 80


class Environment:
    """Reads variables and remembers what is wrong with them.

    A variable that is empty counts as not given. After a bad value the default is returned, so that all faults are
    found in one go; `faults` holds a sentence for each, `allowed` the rule of every variable that was read.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.faults: list[str] = []
        self.allowed: dict[str, str] = {}

    def text(self, name: str, default: str, *, pattern: str = ".*", allowed: str = "text") -> str:
        """Return a text that matches the pattern."""
        return self._read(name, default, lambda text: _matching(re.compile(pattern), text), allowed)

    def label(self, name: str, default: str) -> str:
        """Return a name such as clouds and container engines take."""
        return self._read(name, default, lambda text: _matching(LABEL, text), LABEL_RULE)

    def secret(self, name: str, default: str) -> str:
        """Return a text that no message shows."""
        return self._read(name, default, str, "a secret")

    def secrets(self, name: str) -> list[str]:
        """Return texts separated by commas that no message shows."""
        return self._read(name, [], _split, "secrets, separated by commas")

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Return a whole number within the bounds."""
        allowed = _range(minimum, maximum, "whole ")
        return self._read(name, default, lambda text: _within(_integer(text), minimum, maximum), allowed)

    def number(self, name: str, default: float, *, minimum: float, maximum: float) -> float:
        """Return a number within the bounds."""
        return self._read(name, default, lambda text: _within(float(text), minimum, maximum), _range(minimum, maximum))

    def flag(self, name: str, default: bool) -> bool:
        """Return whether it is on."""
        return self._read(name, default, _flag, "true or false")

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """Return one of the choices, which are found in any case of letters."""
        known = {choice.lower(): choice for choice in choices}
        allowed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        return self._read(name, default, lambda text: _known(known, text.lower()), allowed)

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """Return host names, without scheme and port."""
        allowed = "host names without scheme and port, separated by commas"
        return self._read(name, default, lambda text: [_matching(HOST, word) for word in _split(text)], allowed)

    def origins(self, name: str) -> list[str]:
        """Return origins, such as `https://admin.example.com`."""
        allowed = "origins such as https://admin.example.com, separated by commas"
        return self._read(name, [], lambda text: [_matching(ORIGIN, word) for word in _split(text)], allowed)

    def path(self, name: str, default: Path) -> Path:
        """Return an absolute path."""
        return self._read(name, default, Path, "a path").absolute()

    def directories(self, name: str) -> list[str]:
        """Return absolute directories, of other machines, without hidden parts and without a way upwards."""
        allowed = "absolute directories such as /srv, separated by commas; their parts begin with no dot"
        return self._read(name, [], lambda text: [_matching(DIRECTORY, word) for word in _split(text)], allowed)

    def network(self, name: str, default: str) -> str:
        """Return a network of IPv4 addresses with room for machines."""
        return self._read(name, default, _network, "an IPv4 network from /8 to /28, such as 10.87.0.0/16")

    def package_sources(self, name: str) -> dict[str, Any]:
        """Return where servers get packages from: a proxy, and a mirror and key for Debian and for single taskservs.

        Of a bad value, users and passwords in URLs are not shown.
        """
        return self._read(name, {}, _package_sources, PACKAGE_SOURCES, lambda text: _shown(URL_USER.sub("//…@", text)))

    def database(self, name: str, default: Path) -> dict[str, Any]:
        """Return Django's description of a database, by default of a SQLite file.

        Of a bad URL only the scheme is shown, for it has a password.
        """
        fallback: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
        return self._read(name, fallback, _database, DATABASE, lambda text: f"a URL that begins with {_scheme(text)!r}")

    def _read(
        self, name: str, default: T, parse: Callable[[str], T], allowed: str, shown: Callable[[str], str] | None = None
    ) -> T:
        self.allowed[name] = allowed
        text = self._given.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError:
            self.faults.append(f"{name} is {(shown or _shown)(text)}; it must be {allowed}.")
            return default


def _shown(text: str) -> str:
    return repr(text[:LONGEST_SHOWN])


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _integer(text: str) -> int:
    return int(_matching(re.compile(r"[+-]?[0-9]{1,15}"), text))


def _within(value: Any, minimum: float, maximum: float) -> Any:
    if not minimum <= value <= maximum:  # NaN is not
        raise ValueError(value)
    return value


def _range(minimum: float, maximum: float, kind: str = "") -> str:
    return f"a {kind}number from {minimum:g} to {maximum:.12g}"


def _flag(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError(text)
    return text.lower() in TRUE


def _known(known: Mapping[str, str], text: str) -> str:
    if text not in known:
        raise ValueError(text)
    return known[text]


def _network(text: str) -> str:
    network = IPv4Network(text)
    _within(network.prefixlen, 8, 28)
    return str(network)


def _package_sources(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)
    for name, value in found.items():
        _matching(re.compile("[a-z][a-z0-9_]*"), name)
        urls = {"proxy": value} if name == "proxy" else value
        if not isinstance(urls, dict) or (name != "proxy" and not urls.keys() <= {"mirror", "key"}):
            raise ValueError(text)
        for url in urls.values():
            _matching(PACKAGE_URL, str(url))
    return found


def _scheme(text: str) -> str:
    return f"{text.partition(':')[0]}:" if ":" in text else text.partition("@")[0][:8]


def _database(text: str) -> dict[str, Any]:
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError(text)
    try:
        found = environ.Env.db_url_config(text)
    except environ.ImproperlyConfigured as error:
        raise ValueError(text) from error
    if found["NAME"] in ("", ":memory:") or found.get("PORT") == 0:
        raise ValueError(text)
    return found
