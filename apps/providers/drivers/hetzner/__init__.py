"""Hetzner Cloud, API v1: `client` sends, `refusals` reads errors, `machines`, `labels` and `catalogue` its shapes."""

from __future__ import annotations

from apps.providers.drivers.hetzner.driver import Hetzner

__all__ = ["Hetzner"]
