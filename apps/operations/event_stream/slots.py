"""How many event streams each user holds open in this process."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import Any

from django.conf import settings

from apps.operations.errors import TooManyStreams


class StreamSlots:
    """Counts the streams of each user; used from all threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[Any] = Counter()

    def take(self, user: Any, response: Any) -> weakref.finalize:
        """Count a stream until the function that is returned is called, or its response is gone without it.

        Raises TooManyStreams.
        """
        with self.lock:
            if self.counts[user] >= settings.STREAMS_PER_USER:
                raise TooManyStreams(limit=settings.STREAMS_PER_USER)
            self.counts[user] += 1
        return weakref.finalize(response, self.release, user)

    def release(self, user: Any) -> None:
        """Count a stream no more."""
        with self.lock:
            self.counts[user] -= 1
            if not self.counts[user]:
                del self.counts[user]


slots = StreamSlots()
