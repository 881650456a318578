"""The rules for what a request may say about a server: which attributes there are and what each may hold."""

import re
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from apps.emulator import labels
from apps.emulator.requests import UUID, only
from apps.emulator.responses import refuse

Attributes = dict[str, Any]

YES_NO = ("yes", "no")
CHOICES: dict[str, tuple[str, ...]] = {
    "metadata": YES_NO,
    "firewall": ("on", "off"),
    "password_delivery": ("none", "email", "sms"),
    "remote_access_enabled": YES_NO,
    "remote_access_type": ("vnc", "spice"),
    "vnc": ("on", "off"),
    "nic_model": ("virtio", "e1000", "rtl8139"),
    "video_model": ("vga", "cirrus"),
    "boot_order": ("disk", "cdrom", "network", "disk,cdrom", "cdrom,disk"),
}
BOTH = {
    *("title", "hostname", "plan", "core_number", "memory_amount", "metadata", "timezone", "firewall", "labels"),
    *("simple_backup", "remote_access_enabled", "remote_access_type", "remote_access_password", "vnc"),
    *("vnc_password", "nic_model", "video_model", "boot_order"),
}
CREATE = BOTH | {
    *("zone", "password_delivery", "login_user", "user_data", "networking", "storage_devices"),
    *("server_group", "avoid_host", "host"),
}
INTERFACE = {"index", "type", "network", "ip_addresses", "source_ip_filtering", "bootable"}
HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
BACKUP = re.compile(r"no|([01]\d|2[0-3])[0-5]\d,(daily|dailies|weeklies|monthlies)")


def check_create(attributes: Attributes) -> None:
    """Check everything about a create that needs no look at the catalog or the account."""
    only(attributes, CREATE, "server")
    for name, code in (("zone", "ZONE"), ("title", "SERVER_TITLE"), ("hostname", "HOSTNAME")):
        if name not in attributes:
            refuse(f"{code}_MISSING", f"The {name} attribute is missing.")
    check_text(attributes["zone"], 64, "ZONE_INVALID")
    check_values(attributes)
    check_login(attributes.get("login_user", {}))
    check_user_data(attributes.get("user_data", ""))
    interfaces(attributes)


def check_modify(attributes: Attributes) -> None:
    """Check what a modify may say."""
    only(attributes, BOTH, "server")
    check_values(attributes)


def check_values(attributes: Attributes) -> None:
    """Check the attributes that a create and a modify share."""
    for name, allowed in CHOICES.items():
        if name in attributes and attributes[name] not in allowed:
            refuse(f"{name.upper()}_INVALID", f"The {name} attribute is invalid.")
    if "title" in attributes:
        check_text(attributes["title"], 255, "SERVER_TITLE_INVALID")
    if "hostname" in attributes:
        check_text(attributes["hostname"], 128, "HOSTNAME_INVALID", HOSTNAME)
    if "simple_backup" in attributes:
        check_text(attributes["simple_backup"], 30, "SIMPLE_BACKUP_INVALID", BACKUP)
    if "timezone" in attributes and attributes["timezone"] not in timezones():
        refuse("TIMEZONE_INVALID", "The timezone attribute is invalid.")
    if "labels" in attributes:
        labels.of_server(attributes["labels"])


@cache
def timezones() -> set[str]:
    """List the names of the time zones, which takes a walk through many files."""
    return available_timezones()


def check_text(value: object, longest: int, code: str, pattern: re.Pattern[str] | None = None) -> None:
    """Check a text of 1 to `longest` characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or (pattern and not pattern.fullmatch(value)):
        refuse(code, f"The value {value!r} is invalid.")


def check_login(login: Any) -> None:
    """Check who may log in and with which keys."""
    if not isinstance(login, dict):
        refuse("REQUEST_INVALID", "The login_user must be an object.")
    only(login, {"username", "create_password", "ssh_keys"}, "login_user")
    check_text(login.get("username", "root"), 32, "INVALID_USERNAME", re.compile(r"[a-z_][a-z0-9_-]*"))
    if login.get("create_password", "no") not in YES_NO:
        refuse("CREATE_PASSWORD_INVALID", "The create_password attribute is invalid.")
    for key in nested(login, "ssh_keys", "ssh_key"):
        check_text(key, 16384, "SSH_KEYS_INVALID", re.compile(r"(ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+( .*)?"))


def check_user_data(user_data: object) -> None:
    """Check the user data: a text, which may be empty."""
    if not isinstance(user_data, str):
        refuse("USER_DATA_INVALID", "The user_data attribute is invalid.")


def nested(attributes: Attributes, outer: str, inner: str) -> list[Any]:
    """Read a list out of the API's double nesting; an absent one is empty."""
    wrapper = attributes.get(outer, {inner: []})
    if not isinstance(wrapper, dict):
        refuse(f"{outer.upper()}_INVALID", f"The {outer} must be an object.")
    only(wrapper, {inner}, outer)
    items = wrapper.get(inner, [])
    return items if isinstance(items, list) else refuse(f"{outer.upper()}_INVALID", f"The {outer} are invalid.")


def interfaces(attributes: Attributes) -> list[tuple[str, list[str], str | None]]:
    """Read the interfaces as (type, address families, network); without any a server gets public and utility IPv4."""
    if "networking" not in attributes:
        return [("public", ["IPv4"], None), ("utility", ["IPv4"], None)]
    networking = attributes["networking"]
    if not isinstance(networking, dict):
        refuse("NETWORKING_INVALID", "The networking must be an object.")
    only(networking, {"interfaces"}, "networking")
    return [interface(one) for one in nested(networking, "interfaces", "interface")]


def interface(attributes: Any) -> tuple[str, list[str], str | None]:
    """Read one interface."""
    if not isinstance(attributes, dict):
        refuse("NETWORKING_INVALID", "An interface must be an object.")
    only(attributes, INTERFACE, "interface")
    kind, network = attributes.get("type"), attributes.get("network")
    if kind not in ("public", "utility", "private"):
        refuse("INTERFACE_TYPE_INVALID", "The interface type is invalid.")
    if kind == "private" and not (isinstance(network, str) and UUID.fullmatch(network)):
        refuse("NETWORK_INVALID", "A private interface needs the UUID of a network.")
    return kind, [family(one, kind) for one in nested(attributes, "ip_addresses", "ip_address")], network


def family(attributes: Any, kind: str) -> str:
    """Read the family of one address; utility networks know IPv4 only."""
    if not isinstance(attributes, dict):
        refuse("IP_ADDRESS_INVALID", "An IP address must be an object.")
    only(attributes, {"family", "address", "dhcp_provided"}, "ip_address")
    chosen = attributes.get("family", "IPv4")
    if chosen not in ("IPv4", "IPv6") or (kind == "utility" and chosen == "IPv6"):
        refuse("FAMILY_INVALID", "The address family is invalid.")
    return chosen
