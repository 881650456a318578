"""The one redactor: what passes through here may be stored in a log, an event or an error."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "•••"
SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|api_?key|private_?key|credential|authorization", re.IGNORECASE
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")
# Matched in a time that grows with the length of the text and no faster, for a client may have written it.
SECRET_TEXT = re.compile(
    r"(?P<bearer>\bBearer\s+)[\w.~+/=-]+"
    r"|(?P<basic>\bBasic\s+)[\w+/=-]{8,}"
    r"|(?P<pair>(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+"
    r"|(?P<url>://[^/\s:@]+:)[^/\s@]+(?=@)"
    r"|(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.IGNORECASE | re.DOTALL,
)
LONGEST = 10_000


def redact(value: Any) -> Any:
    """Return the value with everything that looks like a secret hidden and long texts cut, keeping its shape."""
    if isinstance(value, dict):
        return {key: HIDDEN if SECRET_NAME.search(str(key)) and item else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_text(text: str) -> str:
    """Return the text with secrets hidden, control characters gone and at most 10,000 characters kept."""
    clean = CONTROLS.sub("", text)
    hidden = SECRET_TEXT.sub(lambda match: "".join(part for part in match.groups() if part) + HIDDEN, clean)
    return hidden if len(hidden) <= LONGEST else hidden[:LONGEST] + " … cut"
