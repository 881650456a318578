"""The providers that have a driver, and what builds machine images where a provider has none; filled at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

ImageBuilder = Callable[..., str]


@dataclass(frozen=True)
class DriverInfo:
    """A provider that has a driver: its name for people, and the sets of credentials of which an account needs one."""

    title: str
    credentials: tuple[tuple[str, ...], ...]


_drivers: Callable[[], dict[str, DriverInfo]] = dict
_image_builders: dict[str, ImageBuilder] = {}


def register_drivers(describe: Callable[[], dict[str, DriverInfo]]) -> None:
    """Set the function that describes the providers that have a driver; it is called once, when it is first needed."""
    global _drivers
    _drivers = cache(describe)


def drivers() -> dict[str, DriverInfo]:
    """Return all providers that have a driver, by name."""
    return _drivers()


def title_of(provider: str) -> str:
    """Return a provider's name for people; that of one without a driver is its own."""
    known = drivers().get(provider)
    return known.title if known else provider


def register_image_builder(provider: str, build: ImageBuilder) -> None:
    """Add the function that builds a provider's machine image.

    It is called with an account's `endpoint`, the URL of a `mirror`, `rebuild` and `tell`; it returns what was done.
    """
    _image_builders[provider] = build


def image_builder(provider: str) -> ImageBuilder:
    """Return the function that builds a provider's machine image. Raises KeyError."""
    return _image_builders[provider]
