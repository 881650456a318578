"""SSH host keys of servers: known before the first connection, or pinned at it, and compared from then on.

A cloud that reports its machines' keys is asked. To any other, the order carries a key that is made here::

    ordered     ssh_host_key and ordered_host_key are the public half, sealed_host_key is the private one
       │ the machine is up: no further order can carry the key
    up          sealed_host_key is empty
       │ first connection, at which the machine proves that it has the key, and reports the one it has made
    pinned      ssh_host_key is the machine's own key
       │ the key that was ordered, which the cloud's metadata service still shows, is removed from the machine
    replaced    ordered_host_key is empty

The key that is ordered is an ECDSA key, the machine's own an Ed25519 key: both are served while one replaces the other.
"""

from __future__ import annotations

import re

from django.db.models import QuerySet

from apps.servers.models import Server
from apps.system.encryption import seal, unseal

SETS_HOST_KEYS = re.compile(r"\bssh_keys\b")


def ordered_host_key(server: Server, *, user_data: str) -> str:
    """Return the private key that each order of a server's machine carries, made at the first order.

    It is empty where the user data gives the machine keys of its own: those are pinned at the first connection. Raises
    SealBroken.
    """
    if SETS_HOST_KEYS.search(user_data):
        return ""
    if not server.sealed_host_key:
        public, private = new_host_key()
        keys = {"ssh_host_key": public, "ordered_host_key": public, "sealed_host_key": seal(private)}
        Server.objects.filter(pk=server.pk, sealed_host_key="").update(**keys)
        server.refresh_from_db(fields=list(keys))
    return str(unseal(server.sealed_host_key, what=f"server {server}"))


def new_host_key() -> tuple[str, str]:
    """Return a new ECDSA key pair, public and private, in OpenSSH's formats."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(), private


def drop_private_host_key(server_id: str) -> None:
    """Drop the private half of the key that was ordered, once no further order can carry it."""
    Server.objects.filter(pk=server_id).exclude(sealed_host_key="").update(sealed_host_key="")


def known_host_keys(servers: QuerySet[Server]) -> dict[str, str]:
    """Return the machines' own SSH host keys, as far as they are known, by server id.

    One that was ordered is left out: it goes, and OpenSSH would take the machine's own key for a changed one.
    """
    own = servers.exclude(ssh_host_key="").filter(ordered_host_key="").order_by("pk")
    return dict(own.values_list("pk", "ssh_host_key"))


def pin_host_key(server_id: str, key: str) -> str:
    """Store the first SSH host key that is seen of a server; returns the one that holds, which may be another's."""
    Server.objects.filter(pk=server_id, ssh_host_key="").update(ssh_host_key=key)
    return Server.objects.values_list("ssh_host_key", flat=True).filter(pk=server_id).first() or key


def pin_own_host_key(server_id: str, *, known: str, own: str) -> None:
    """Pin the key that a machine has made itself, said over a connection at which it has proved to have `known`."""
    Server.objects.filter(pk=server_id, ssh_host_key=known).update(ssh_host_key=own)


def forget_ordered_host_key(server_id: str) -> None:
    """Note that the machine no longer has the key that was ordered."""
    Server.objects.filter(pk=server_id).update(ordered_host_key="")


def forget_host_key(server_id: str) -> bool:
    """Forget a server's SSH host key, so that the next contact pins the one it presents then; False when there is none.

    Call it only for a machine whose key was changed on purpose: the next contact trusts whoever answers.
    """
    return bool(Server.objects.filter(pk=server_id).exclude(ssh_host_key="").update(ssh_host_key=""))
