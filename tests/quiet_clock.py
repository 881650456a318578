"""A clock for promises such as "within ten seconds", which hold on a machine that has time for what it is asked.

Others may keep this machine busy. So a thread does a little work all along, and the time that passes counts for less by
as much as that work takes longer than its computing time; never for more.
"""

import threading
import time

SAMPLE_SECONDS, PAUSE_SECONDS = 0.005, 0.1


class QuietClock:
    """Measures the time inside a `with`; `seconds` gives what it would have been on a quiet machine."""

    def __enter__(self):
        self.wall = self.computed = 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.elapsed = time.monotonic() - self.began
        self.over.set()
        self.thread.join()

    @property
    def seconds(self):
        return self.elapsed / max(1.0, self.wall / self.computed)

    def sample(self):
        while True:
            began, computed = time.monotonic(), time.thread_time()
            while time.thread_time() - computed < SAMPLE_SECONDS:
                pass
            self.wall += time.monotonic() - began
            self.computed += time.thread_time() - computed
            if self.over.wait(PAUSE_SECONDS):
                return
