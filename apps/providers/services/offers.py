"""Which providers there are: filled when the app is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """A provider that has a driver: its name for people, and the sets of credentials of which an account needs one."""

    title: str
    credentials: tuple[tuple[str, ...], ...]


# Which providers there are, by name; filled when the app is ready.
offered: dict[str, Offer] = {}

# What makes an image of machines where the provider cannot give one, by the provider's name; filled likewise. Called
# with an account's endpoint, a mirror's URL, and whether to make it anew; returns what was done.
image_builders: dict[str, Callable[..., str]] = {}
