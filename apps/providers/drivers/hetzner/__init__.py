"""Hetzner Cloud, API v1: `client` sends, `errors` maps errors, `machines`, `labels` and `catalog` its shapes."""

from __future__ import annotations

from apps.providers.drivers.hetzner.driver import Hetzner

__all__ = ["Hetzner"]
