"""The user data that a machine starts with: what the order says, and what makes it reachable under its name.

It is for the clouds where a key goes in here rather than into something of the account's that would be left behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from email import message_from_string
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from apps.providers.drivers.base import MachineSpec, Refused

# What the order's own cloud-config says stays; lists, such as of keys, are joined.
MERGE = "dict(no_replace,recurse_list)+list(append)"


def document(spec: MachineSpec, *, largest: int, cloud: str, config: Mapping[str, object] | None = None) -> str:
    """Write the MIME document for cloud-init: the order's part first, ours with `config` second.

    The same order gives the same document, as EC2 demands of a repetition. Raises Refused, PROVIDER_INVALID, when it is
    larger than the `largest` bytes that `cloud` takes.
    """
    parts = [_given(spec.user_data)] if spec.user_data else []
    ours = "#cloud-config\n" + json.dumps({**(config or {}), **_config(spec)})
    boundary = "part-" + hashlib.sha256(f"{spec.user_data}\0{ours}".encode()).hexdigest()[:32]
    whole = MIMEMultipart("mixed", boundary, [*parts, MIMEText(ours, "cloud-config")]).as_string()
    if len(whole.encode()) > largest:
        raise Refused(
            "PROVIDER_INVALID",
            f"The cloud-init user data, with the keys and the hostname that are added to it, is "
            f"{len(whole.encode())} bytes long; {cloud} takes {largest}.",
        )
    return whole


def _given(text: str) -> Message:
    """Make a part of the order's user data; cloud-init tells its kind by its first line, or it is MIME already."""
    if "mime-version:" in text[:4096].lower():
        return message_from_string(text)
    return MIMEText(text, "x-not-multipart")


def _config(spec: MachineSpec) -> dict[str, object]:
    config: dict[str, object] = {
        "fqdn": spec.hostname,
        "prefer_fqdn_over_hostname": True,
        "preserve_hostname": False,
        "manage_etc_hosts": "localhost",
    }
    if spec.ssh_keys:
        config |= {"disable_root": False, "ssh_authorized_keys": list(spec.ssh_keys)}
    return config | {"merge_how": MERGE}
