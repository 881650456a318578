"""What the login limiter counts, and how it names a client in the log; the rest is django-axes'."""

from __future__ import annotations

import json
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_failure_limit
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

from apps.system.client_address import client_address, client_network


class LoginLimiter(AxesDatabaseHandler):
    """Limit failures of a user name from an address, and those of an address whatever the user name."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return the failures of the pair, or at least the limit once the address has failed too often."""
        failures = int(super().get_failures(request, credentials))
        if self.address_failures(request) < settings.LOGIN_ADDRESS_FAILURE_LIMIT:
            return failures
        return max(failures, get_failure_limit(request, credentials))

    def address_failures(self, request: HttpRequest) -> int:
        """Count what failed from the address, or its IPv6 /64, within the pause; 0 where the address is not known."""
        address = client_network(request)
        if address is None:
            return 0
        recent = AccessAttempt.objects.filter(ip_address=address, attempt_time__gte=get_cool_off_threshold(request))
        return recent.aggregate(total=Sum("failures_since_start"))["total"] or 0


def describe_client(username: str | None, address: str | None, agent: str, path: Any, request: HttpRequest) -> str:
    """Name user and address for the log; quoted, so that a user name cannot begin a line of its own."""
    return f"user {json.dumps(username)[:200]} from {client_address(request) or 'an unknown address'}"
