"""Labels: what users may set, what the system adds, and how lists are filtered by them."""

import re
import sqlite3
from typing import Any

from apps.emulator.requests import only
from apps.emulator.responses import refuse

Labels = list[dict[str, str]]

# On every server, because no cloud stands behind it. Users cannot send keys that start with an underscore.
EMULATED = {"key": "_emulated", "value": "yes"}
BACKED = {"key": "_backed", "value": "yes"}
KEY = re.compile(r"[!-^`-~][ -~]{1,31}")


def backed(ssh_port: int) -> Labels:
    """Return the labels of a server that has a container, with the port of its SSH."""
    return [BACKED, {"key": "_ssh_port", "value": str(ssh_port)}]


def of_system(labels: Labels) -> Labels:
    """Pick those that users cannot set."""
    return [label for label in labels if label["key"].startswith("_")]


def checked(attributes: object) -> Labels:
    """Check a bare array of labels."""
    if not isinstance(attributes, list):
        refuse("REQUEST_INVALID", "The labels must be an array.")
    labels = [checked_label(label) for label in attributes]
    keys = [label["key"].lower() for label in labels]
    if len(set(keys)) < len(keys):
        refuse("DUPLICATE_LABEL_KEYS", "The label keys must be unique.")
    return labels


def checked_label(label: Any) -> dict[str, str]:
    """Check one label: a key of 2 to 32 printable ASCII characters, a value of at most 255 characters."""
    if not isinstance(label, dict):
        refuse("REQUEST_INVALID", "A label must be an object.")
    only(label, {"key", "value"}, "a label")
    key, value = label.get("key"), label.get("value", "")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        refuse("INVALID_LABEL_KEY", "The label key is invalid.")
    if not isinstance(value, str) or len(value) > 255:
        refuse("INVALID_LABEL_VALUE", "The label value is invalid.")
    return {"key": key, "value": value}


def of_server(attributes: object) -> Labels:
    """Check a server's labels, which come wrapped: `{"label": […]}`."""
    if not isinstance(attributes, dict):
        refuse("REQUEST_INVALID", "The labels must be an object.")
    only(attributes, {"label"}, "labels")
    return checked(attributes.get("label"))


def store(db: sqlite3.Connection, server: str, labels: Labels) -> None:
    """Replace the labels that a server is found by."""
    db.execute("DELETE FROM labels WHERE server = ?", [server])
    rows = [(server, label["key"], label["value"]) for label in labels]
    db.executemany("INSERT INTO labels VALUES (?, ?, ?)", rows)


def has(db: sqlite3.Connection, server: str, label: dict[str, str]) -> bool:
    """Tell whether a server has exactly this label."""
    sql = "SELECT 1 FROM labels WHERE server = ? AND key = ? AND value = ?"
    return db.execute(sql, [server, label["key"], label["value"]]).fetchone() is not None


def condition(filters: list[str]) -> tuple[str, list[str]]:
    """Turn `key` and `key=value` filters, all of which must match, into SQL; keys match without regard to case."""
    parts, values = ["1"], []
    for label_filter in filters:
        key, equals, value = label_filter.partition("=")
        exact = " AND l.value = ?" if equals else ""
        parts.append(f"EXISTS (SELECT 1 FROM labels l WHERE l.server = servers.uuid AND l.key = ?{exact})")  # noqa: S608
        values += [key, value] if equals else [key]
    return " AND ".join(parts), values


def match(labels: Labels, filters: list[str]) -> bool:
    """Tell whether labels match all filters, of which the storage list also knows `!key` and `!key=value`."""
    return all(matches(labels, label_filter.lstrip("!")) != label_filter.startswith("!") for label_filter in filters)


def matches(labels: Labels, label_filter: str) -> bool:
    """Tell whether one of the labels matches `key` or `key=value`."""
    key, equals, value = label_filter.partition("=")
    return any(label["key"].lower() == key.lower() and (not equals or label["value"] == value) for label in labels)
