"""Names that a server cannot have, though they are host names: other programs give them a meaning of their own."""

from __future__ import annotations

import re

MEANINGS = {
    "all": "to Ansible it means every host",
    "ungrouped": "to Ansible it means the hosts without a group",
    "localhost": "it means the machine that asks",
    "localhost.localdomain": "it means the machine that asks",
    "ip6-localhost": "it means the machine that asks",
    "ip6-loopback": "it means the machine that asks",
}
# What inet_aton takes for an IPv4 address ends in a number; RFC 1123 (2.1) keeps host names apart from those.
ADDRESS = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")

LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def in_any_case(word: str) -> str:
    """Return the pattern of a word in capitals or small letters."""
    return "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else f"[{letter}]" for letter in word)


# The same as JSON Schema.
RULE = {
    "pattern": rf"^{LABEL}(\.{LABEL})*$",
    "not": {
        "pattern": "^("
        + "|".join(in_any_case(word) for word in MEANINGS)
        + rf"|.*\.{in_any_case('localhost')}|(.*\.)?([0-9]+|0[Xx][0-9A-Fa-f]*))$"
    },
}


def reserved_as(name: str) -> str:
    """Return why a name cannot be a server's, as the end of a sentence; nothing when it can."""
    name = name.lower()
    if name.endswith(".localhost"):
        return MEANINGS["localhost"]
    return MEANINGS.get(name) or ("it reads as an IP address" if ADDRESS.fullmatch(name) else "")
