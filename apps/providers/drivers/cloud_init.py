"""The user data that a machine starts with: what the order says, and what we add to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from email import message_from_string
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from apps.providers.drivers.base import MachineSpec, ProviderError

# What the order's own cloud-config says stays; lists, such as of keys, are joined.
MERGE = "dict(no_replace,recurse_list)+list(append)"
OWN_HOST_KEY = "rm -f /etc/ssh/ssh_host_*key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
MAKE_OWN_HOST_KEY = [["cloud-init-per", "instance", "own-host-key", "sh", "-c", OWN_HOST_KEY]]


def document(spec: MachineSpec, config: Mapping[str, object]) -> str:
    """Write the MIME document for cloud-init: the order's part first, ours with `config` second.

    The same order gives the same document, as EC2 demands of a repetition.
    """
    parts = [_given(spec.user_data)] if spec.user_data else []
    ours = "#cloud-config\n" + json.dumps({**config, "merge_how": MERGE})
    boundary = "part-" + hashlib.sha256(f"{spec.user_data}\0{ours}".encode()).hexdigest()[:32]
    return MIMEMultipart("mixed", boundary, [*parts, MIMEText(ours, "cloud-config")]).as_string()


def limited(document: str, *, largest: int, cloud: str) -> str:
    """Return a document that `cloud` takes, of at most `largest` bytes. Raises Refused, PROVIDER_INVALID."""
    if (size := len(document.encode())) > largest:
        raise ProviderError(
            "PROVIDER_INVALID",
            f"The cloud-init user data, with the keys and the hostname that are added to it, is "
            f"{size} bytes long; {cloud} takes {largest}.",
        )
    return document


def host_key(spec: MachineSpec) -> dict[str, object]:
    """Return the part of a configuration that gives a machine its SSH host key; cloud-init derives the public half.

    Where one is given, cloud-init makes none: the machine makes its own Ed25519 key before, in place of its image's.
    """
    if not spec.host_key:
        return {}
    return {"ssh_keys": {"ecdsa_private": spec.host_key}, "ssh_deletekeys": False, "bootcmd": MAKE_OWN_HOST_KEY}


def access(spec: MachineSpec) -> dict[str, object]:
    """Return the part that makes a machine reachable under its name.

    It is for the clouds where a key goes in here rather than into something of the account's that would be left behind.
    """
    config: dict[str, object] = {
        "fqdn": spec.hostname,
        "prefer_fqdn_over_hostname": True,
        "preserve_hostname": False,
        "manage_etc_hosts": "localhost",
    }
    if spec.ssh_keys:
        config |= {"disable_root": False, "ssh_authorized_keys": list(spec.ssh_keys)}
    return config


def _given(text: str) -> Message:
    """Make a part of the order's user data; cloud-init finds its kind by its first line, or it is MIME already."""
    if "mime-version:" in text[:4096].lower():
        return message_from_string(text)
    return MIMEText(text, "x-not-multipart")
