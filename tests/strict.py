"""Where CI is set, a skip is a failure: nothing is left out there without somebody seeing it."""

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Judge a test."""
    return judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Judge the collecting of a module."""
    return judged((yield))


def judged(report):
    """Make a failure of a skip; one that is expected to fail, and does, is none."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.longrepr[-1]}; where CI is set, a skip is a failure"
    return report
