"""What the option `--database-only` leaves out."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CASES = """
import pytest
@pytest.fixture
def made(django_db_blocker): ...
@pytest.fixture
def above(made): ...
def test_nothing(settings, tmp_path): ...
def test_fixture(db): ...
def test_client(admin_client): ...
@pytest.mark.django_db
def test_mark(): ...
def test_own(above): ...
@pytest.fixture
def roles(db): ...
def test_role(roles): ...
@pytest.fixture
def served(request): ...
@pytest.mark.parametrize("served", ["local", "upcloud", "aws"], indirect=True)
def test_cloud(db, served): ...
@pytest.fixture
def scene(database): ...
@pytest.fixture
def database(): ...
def test_both(scene): ...
def test_one(database): ...
"""


def collected(folder, *options):
    (folder / "test_it.py").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.database_only", *options]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ENVIRONMENT": "development"}
    environment |= {"DJANGO_SETTINGS_MODULE": "provisioning.settings", "VAR_DIR": str(folder)}
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return {line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line}


def test_it_leaves_out_what_uses_no_database(tmp_path):
    with_database = {"test_fixture", "test_client", "test_mark", "test_own", "test_cloud[upcloud]", "test_one"}
    others = {"test_nothing", "test_role", "test_cloud[local]", "test_cloud[aws]", "test_both"}
    assert collected(tmp_path) == {*others, *with_database}
    assert collected(tmp_path, "--database-only") == with_database
