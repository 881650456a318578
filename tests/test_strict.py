"""What the suite's own rules for skips come to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SKIPS = """
import pytest
{first}
@pytest.mark.skipif(True, reason="no reason")
def test_marked(): ...
def test_calls():
    pytest.skip("no reason")
@pytest.mark.xfail(strict=True)
def test_known(): assert False
def test_passes(): ...
"""


@pytest.mark.parametrize(
    ("ci", "first", "code", "summary"),
    [
        ({}, "", 0, "1 passed, 2 skipped, 1 xfailed"),
        ({"CI": "true"}, "", 1, "1 failed, 1 passed, 1 xfailed, 1 error"),
        ({}, "pytest.skip('no reason', allow_module_level=True)", 5, "1 skipped"),
        ({"CI": "true"}, "pytest.skip('no reason', allow_module_level=True)", 2, "1 error"),
    ],
)
def test_it_makes_a_failure_of_a_skip_where_ci_is_set(ci, first, code, summary, tmp_path):
    (tmp_path / "test_it.py").write_text(SKIPS.format(first=first))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "tests.strict", "-p", "no:django", "-p", "no:cacheprovider"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | ci
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, summary in done.stdout) == (code, True), done.stdout
    assert "no reason" in done.stdout
