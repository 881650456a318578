"""The drivers, by provider, and how to open one."""

from __future__ import annotations

from apps.providers.drivers.aws import AWS
from apps.providers.drivers.base import Connection, Driver, ProviderError
from apps.providers.drivers.hetzner import Hetzner
from apps.providers.drivers.local import Local
from apps.providers.drivers.upcloud import UpCloud

DRIVERS: dict[str, type[Driver]] = {"aws": AWS, "hetzner": Hetzner, "local": Local, "upcloud": UpCloud}


def connect(provider: str, connection: Connection) -> Driver:
    """Open the driver of `provider`; close() it after use.

    Nothing is sent yet. Raises Refused: PROVIDER_INVALID for an unknown provider or an unusable endpoint, PROVIDER_AUTH
    for credentials that cannot even be sent.
    """
    if provider not in DRIVERS:
        raise ProviderError("PROVIDER_INVALID", "There is no driver for this provider.", provider=provider)
    return DRIVERS[provider](connection)
