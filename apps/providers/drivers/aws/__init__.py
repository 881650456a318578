"""AWS EC2: `client` speaks to it, `errors` maps its errors, the rest its shapes and its rules."""

from __future__ import annotations

from apps.providers.drivers.aws.driver import AWS

__all__ = ["AWS"]
