"""Containers on one's own machine.

`engine` reaches Podman or Docker, `machines` knows the shapes, `image` makes what machines are made from.
"""

from __future__ import annotations

from apps.providers.drivers.local.driver import Local

__all__ = ["Local"]
