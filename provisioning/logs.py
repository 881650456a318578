"""What is logged, and how: Django's LOGGING."""

from __future__ import annotations

from typing import Any

ACTIVITY = ("apps.system.request_log", "apps.operations.observability.activity_log")


def logging_for(level: str, *, development: bool) -> dict[str, Any]:
    """Return LOGGING with everything from `level` on.

    With an empty level: the service's own log from INFO, libraries from WARNING, and no 404, an answer like any other.
    In development there is also a line for each request and for each operation that starts or ends.
    """
    activity = {"handlers": ["activity"], "propagate": False, "level": level or ("INFO" if development else "WARNING")}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "activity": {"format": "%(asctime)s %(message)s", "datefmt": "%H:%M:%S"},
        },
        "filters": {"without traceback": {"()": "apps.system.log_filters.WithoutTraceback"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line"},
            "one line": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without traceback"]},
            "activity": {"class": "logging.StreamHandler", "formatter": "activity"},
        },
        "root": {"handlers": ["console"], "level": level or "WARNING"},
        "loggers": {
            **dict.fromkeys(ACTIVITY, activity),
            "apps": {"level": level or "INFO"},
            "django.request": {"level": level or "ERROR"},
            "django.security": {"handlers": ["one line"], "propagate": False},  # such as a body with too many fields
            "botocore": {"level": "INFO"},  # at DEBUG it prints whole requests, key ids and session tokens among them
        },
    }
