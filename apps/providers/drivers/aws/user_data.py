"""The user data of an EC2 instance.

Keys go in here and not into EC2's key pairs, which would be left behind; EC2 lets root's door be opened no other way.
"""

from __future__ import annotations

from apps.providers.drivers import cloud_init
from apps.providers.drivers.base import MachineSpec

LARGEST = 16 * 1024  # bytes, before the base64 of the request


def document(spec: MachineSpec) -> str:
    """Write the document. Raises Refused, PROVIDER_INVALID, when it is larger than EC2 takes."""
    return cloud_init.document(spec, largest=LARGEST, cloud="AWS")
