"""Waiting for a cloud, and reading what a driver raises."""

import time
from contextlib import contextmanager

import pytest


def until(question, seconds=60):
    """Ask until the answer is true, and give it; at first often, then at the pace of a worker."""
    ends, pause = time.monotonic() + seconds, 0.01
    while not (answer := question()):
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(pause)
        pause = min(pause * 2, 0.3)
    return answer


def gone(driver, ref, *, server_id="srv-abc123", disks=()):
    """Delete a machine to the end."""
    until(lambda: driver.delete(ref, server_id=server_id, disks=disks))


@contextmanager
def raises(error, *codes, within=10):
    """Expect the error with one of these codes, in so many seconds."""
    began = time.monotonic()
    with pytest.raises(error) as caught:
        yield caught
    assert caught.value.code in codes
    assert time.monotonic() - began < within


def shown(error):
    """Everything that an error and what led to it say."""
    output = ""
    while error:
        output += f"{error!r} {error} {getattr(error, 'data', '')} {getattr(error, 'message', '')}\n"
        error = error.__cause__ or error.__context__
    return output
