"""The order of test files: those with tests on machines are spread among the others.

Each takes minutes of processor time. At the end, one process would work on it while the others have nothing left to do;
side by side, they would share the processors, while tests that wait leave them idle.
"""

from itertools import groupby

import pytest

from tests.database_only import is_on_machines


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put them in that order."""
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    items[:] = [item for file in spread(files, is_long=lambda file: any(map(is_on_machines, file))) for item in file]


def spread(files, *, is_long):
    """Return the files with the long ones at the beginning and then evenly among the others, each kind in its order."""
    long = [file for file in files if is_long(file)]
    others = [file for file in files if not is_long(file)]
    order = []
    for number, file in enumerate(long):
        order += [file, *others[number * len(others) // len(long) : (number + 1) * len(others) // len(long)]]
    return order or others
