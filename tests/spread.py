"""The order of test files: those that take long are spread among the first three quarters of the others.

Each takes minutes. At the end, one process would work on it while the others have nothing left to do; side by side,
they would share the processors, while tests that wait leave them idle.
"""

from itertools import groupby

import pytest

from tests.database_only import is_on_machines

LEADING = 0.75


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put them in that order."""
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    items[:] = [item for file in spread(files, is_long=lambda file: any(map(is_slow, file))) for item in file]


def is_slow(item):
    """Tell whether a test works on machines or is marked for taking long."""
    return is_on_machines(item) or item.get_closest_marker("slow") is not None


def spread(files, *, is_long):
    """Return the files with the long ones among the first of the others, each kind in its order."""
    long = [file for file in files if is_long(file)]
    others = [file for file in files if not is_long(file)]
    starts = [int(number * LEADING * len(others) / len(long)) for number in range(len(long))] + [len(others)]
    order = others[: starts[0]]
    for number, file in enumerate(long):
        order += [file, *others[starts[number] : starts[number + 1]]]
    return order
