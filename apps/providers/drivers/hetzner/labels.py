"""Any text as labels at Hetzner, and back again.

A label's value has up to 63 letters, digits and `-_.`, a letter or digit at either end. Letters, digits, `-` and `.`
stay as they are, all else is `_` and two hexadecimal digits for each byte; what is then too long is cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 63
PIECE = LONGEST - 2
VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def encoded(text: str) -> str:
    """Spell a text in the characters of a label's value; one that begins with a letter or digit still does."""
    spelt = re.sub(r"[^A-Za-z0-9.-]", lambda match: _escaped(match[0]), text)
    return re.sub(r"[.-]$", lambda match: _escaped(match[0]), spelt)


def decoded(value: str) -> str:
    """Undo `encoded`."""
    raw = re.sub(rb"_([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), value.encode())
    return raw.decode(errors="replace")


def packed(key: str, text: str) -> dict[str, str]:
    """Write a text as one label or, when it does not fit, as pieces: `key.1`, `key.2`, each between two `x`."""
    spelt = encoded(text)
    if VALUE.fullmatch(spelt):
        return {key: spelt}
    pieces = [spelt[start : start + PIECE] for start in range(0, len(spelt), PIECE)]
    return {f"{key}.{number}": f"x{piece}x" for number, piece in enumerate(pieces, start=1)}


def unpacked(labels: Mapping[str, str], key: str) -> str:
    """Read what `packed` wrote, empty when there is nothing."""
    if key in labels:
        return decoded(labels[key])
    spelt, number = "", 1
    while piece := labels.get(f"{key}.{number}"):
        spelt, number = spelt + piece[1:-1], number + 1
    return decoded(spelt)


def _escaped(text: str) -> str:
    return "".join(f"_{byte:02x}" for byte in text.encode())
