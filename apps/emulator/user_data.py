"""What cloud-init would do with an order's user data before SSH is served: give the machine its host key."""

from email import message_from_string
from email.message import Message
from email.mime.multipart import MIMEMultipart
from typing import Any

import yaml

from apps.providers.drivers.cloud_init import MAKE_OWN_HOST_KEY

HOST_KEY = "ecdsa_private"
OTHERS = {"ssh_deletekeys": False, "bootcmd": MAKE_OWN_HOST_KEY}  # a container makes its own key anyway


def split(text: str) -> tuple[str, str]:
    """Return the SSH host key that user data carries, a private ECDSA key or "", and what else there is in it.

    It is looked for in the cloud-config parts of a MIME document; whatever cannot be read is left as it is.
    """
    if "mime-version:" not in text[:4096].lower():
        return "", text
    parts = [part for part in message_from_string(text).walk() if not part.is_multipart()]
    keys = {id(part): host_key(part) for part in parts}
    others = [part for part in parts if not keys[id(part)]]
    found = next(filter(None, keys.values()), "")
    return (found, joined(others)) if found else ("", text)


def host_key(part: Message) -> str:
    """Return the key of a part that holds nothing else."""
    config = cloud_config(part)
    keys, others = config.get("ssh_keys"), config.keys() - {"ssh_keys", "merge_how"}
    if not isinstance(keys, dict) or set(keys) != {HOST_KEY} or {name: config[name] for name in others} != OTHERS:
        return ""
    return str(keys[HOST_KEY])


def cloud_config(part: Message) -> dict[str, Any]:
    """Return the configuration in a part; an empty one when it holds none."""
    if part.get_content_type() != "text/cloud-config":
        return {}
    try:
        config = yaml.safe_load(content(part))
    except yaml.YAMLError:
        return {}
    return config if isinstance(config, dict) else {}


def content(part: Message) -> str:
    """Return a part's text."""
    payload = part.get_payload(decode=True)
    return payload.decode(errors="replace") if isinstance(payload, bytes) else ""


def joined(parts: list[Message]) -> str:
    """Return user data of these parts; of one whose kind its first line tells, only its text."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].get_content_subtype() == "x-not-multipart":
        return content(parts[0])
    return MIMEMultipart("mixed", None, parts).as_string()
