"""Ids in paths and queries."""

from __future__ import annotations

import re
from uuid import UUID

from apps.system.errors import NotFound

UUID_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def uuid_of(what: str, given: str) -> UUID:
    """Return a UUID from a path. Raises NotFound, for an id of another form is one that is not there."""
    if not UUID_FORM.fullmatch(given):
        raise NotFound(what=what, id="of that form")
    return UUID(given)
