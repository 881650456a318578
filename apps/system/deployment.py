"""What no deployment may have in its settings: rules for settings and system checks, free of Django."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEVELOPMENT_KEY = "development-only-secret-key-that-no-deployment-may-use"
SECRET_KEY_LENGTH, CREDENTIALS_KEY_LENGTH, DIFFERENT_CHARACTERS = 50, 20, 5


@dataclass(frozen=True)
class Fault:
    """A setting that makes a deployment unsafe, and what to do about it."""

    id: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message} {self.hint} ({self.id})"


def faults(given: Any) -> list[Fault]:
    """Return what is unsafe in the given settings, an object with their names as attributes."""
    rules = [
        (
            given.SECRET_KEY == DEVELOPMENT_KEY or is_weak(given.SECRET_KEY, SECRET_KEY_LENGTH),
            "system.E001",
            f"SECRET_KEY is the development key, or shorter than {SECRET_KEY_LENGTH} characters, or repeats a few.",
            f"Set SECRET_KEY to {SECRET_KEY_LENGTH} or more random characters, "
            "or ENVIRONMENT=development on your own machine.",
        ),
        (given.DEBUG, "system.E002", "DEBUG is on: errors would show code and settings.", "Unset DEBUG."),
        (
            given.EMULATOR,
            "system.E003",
            "EMULATOR is on: anybody could create machines that do not exist.",
            "Unset EMULATOR.",
        ),
        (
            given.NODES > 1 and given.DATABASES["default"]["ENGINE"].endswith("sqlite3"),
            "system.E004",
            f"SQLite is one machine's file, and NODES says that {given.NODES} nodes share it.",
            "Set DATABASE_URL to a PostgreSQL database, or NODES=1.",
        ),
        (
            not given.ALLOWED_HOSTS,
            "system.E005",
            "ALLOWED_HOSTS is empty: every request would be refused.",
            "Set ALLOWED_HOSTS to the names the service is reached by, separated by commas.",
        ),
        (
            "*" in given.ALLOWED_HOSTS,
            "system.E009",
            "ALLOWED_HOSTS is *: links and redirects could be made to lead to anybody's host.",
            "Set ALLOWED_HOSTS to the names the service is reached by, separated by commas.",
        ),
        (
            bool(weak_credentials_keys(given.CREDENTIALS_KEYS[:1])),
            "system.E010",
            f"The first of CREDENTIALS_KEYS is shorter than {CREDENTIALS_KEY_LENGTH} characters, or repeats a few.",
            f"Put a key of {CREDENTIALS_KEY_LENGTH} or more random characters before it, then run "
            "`manage.py rotate_secrets`.",
        ),
    ]
    return [Fault(id, message, hint) for broken, id, message, hint in rules if broken]


def weak_credentials_keys(keys: Sequence[str]) -> list[str]:
    """Return the keys that could be guessed."""
    return [key for key in keys if is_weak(key, CREDENTIALS_KEY_LENGTH)]


def is_weak(key: str, length: int) -> bool:
    """Tell whether a key is too short, or made of too few different characters."""
    return len(key) < length or len(set(key)) < DIFFERENT_CHARACTERS
