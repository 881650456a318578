"""UpCloud, API 1.3: `client` speaks HTTP, `errors` maps its errors, `machines` and `catalog` its shapes."""

from __future__ import annotations

from apps.providers.drivers.upcloud.driver import UpCloud

__all__ = ["UpCloud"]
