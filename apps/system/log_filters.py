"""Filters for log handlers."""

from __future__ import annotations

import logging


class WithoutTraceback(logging.Filter):
    """Keep a record to one line: what a client sent amiss is no fault of the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the traceback away."""
        record.exc_info = record.exc_text = None
        return True
