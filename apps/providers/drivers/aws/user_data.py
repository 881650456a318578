"""The user data of an EC2 instance.

Keys go in here and not into EC2's key pairs, which would be left behind; EC2 allows root login in no other way.
"""

from __future__ import annotations

from apps.providers.drivers import cloud_init
from apps.providers.drivers.base import MachineSpec

LARGEST = 16 * 1024  # bytes, before the base64 of the request


def document(spec: MachineSpec) -> str:
    """Write the document. Raises Refused, PROVIDER_INVALID, when it is larger than EC2 takes."""
    whole = cloud_init.document(spec, cloud_init.access(spec) | cloud_init.host_key(spec))
    return cloud_init.limited(whole, largest=LARGEST, cloud="AWS")
