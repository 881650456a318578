"""The checks of what installs taskservs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from apps.system.doctor import Check, Finding, ok, program, warn
from apps.taskservs.catalog_loader import hint, load_catalog

PORTS = {"http": 80, "https": 443}
CONNECT_SECONDS = 3.0


def check_ansible() -> list[Finding]:
    """Check whether Ansible runs."""
    advice = (
        "Install it beside Python: `pip install -r requirements-run.txt`; the locale must be UTF-8 (LC_ALL=C.UTF-8)."
    )
    return [program("ansible", "ansible-playbook", "--version", advice=advice)]


def check_package_sources() -> Iterator[Finding]:
    """Check whether what TASKSERV_PACKAGE_SOURCES names can be reached from here; servers may know another way."""
    known = {"proxy", "debian", *load_catalog()}
    for name, given in settings.TASKSERV_PACKAGE_SOURCES.items():
        if name not in known:
            text = f"the catalog has no taskserv {name}{hint(name, known)}"
            yield warn(f"package source {name}", text, "Correct the name in TASKSERV_PACKAGE_SOURCES.")
        urls = [given] if isinstance(given, str) else given.values()
        for url in urls:
            if url.startswith(("http://", "https://")):
                yield reached(f"package source {name}", url)


def reached(name: str, url: str) -> Finding:
    """Try to connect to a URL's server."""
    parts = urlsplit(url)
    place = (parts.hostname or "", parts.port or PORTS[parts.scheme])
    shown = f"{parts.scheme}://{place[0]}:{place[1]}"
    try:
        socket.create_connection(place, timeout=CONNECT_SECONDS).close()
    except OSError as error:
        text = f"{shown} cannot be reached from here: {error.strerror or error}."
        return warn(name, text, "See TASKSERV_PACKAGE_SOURCES; where only the servers reach it, that is enough.")
    return ok(name, f"{shown} can be reached from here.")


CHECKS = [
    Check(name="ansible", look=check_ansible, needs_database=False),
    Check(name="package sources", look=check_package_sources, needs_database=False, uses_network=True),
]
