"""UpCloud, API 1.3: `client` speaks HTTP, `refusals` reads its errors, `machines` and `catalogue` its shapes."""

from __future__ import annotations

from apps.providers.drivers.upcloud.driver import UpCloud

__all__ = ["UpCloud"]
