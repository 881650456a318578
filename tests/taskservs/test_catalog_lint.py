"""The catalog's roles by the rules of ansible-lint, in its strictest profile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.taskservs.catalog_loader import ROOT


@pytest.mark.slow
def test_it_passes_ansible_lint(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_HOME": str(tmp_path / "ansible"), "LC_ALL": "C.UTF-8"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = ["ansible-lint", "--offline", "--profile=production", "-q", "--nocolor", "--format=pep8", "."]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr
