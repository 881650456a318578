"""docs/workflows.md: its guide, followed word by word over HTTP, and its tables and pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from apps.accounts.models import TokenFamily
from apps.accounts.services import issue
from apps.operations.registry import kinds
from apps.workflows.definition_schema import SHAPE, STEP
from apps.workflows.definitions import definitions
from tests.conftest import user

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "workflows.md").read_text()
GUIDE = TEXT.partition("## Write your own")[2].partition("\n## ")[0]
BLOCK = re.compile(r"^```(yaml|sh)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
CALL = """
call() { curl --silent --show-error -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" "$@"; }
manage() { "$PYTHON" "$ROOT/manage.py" "$@"; }
"""
KEEP = "declare -p SERVERS ORDER DIGEST RUN 2>/dev/null > state || true"


def token(person):
    family = TokenFamily.objects.create(user=person, expires_at="2999-01-01T00:00:00Z")
    return issue(person, family.pk, family.current).token


@pytest.mark.django_db(transaction=True)
def test_the_guide_works_as_it_stands(live_server, workspace, alice, body, api, run_worker, tmp_path):
    for hostname in ("web-01", "web-02"):
        assert api(alice).post("/v1/servers/create", {**body, "hostname": hostname}).status_code == 200
    run_worker()
    environment = {"PATH": os.environ["PATH"], "API": live_server.url, "PYTHON": sys.executable, "ROOT": str(ROOT)}
    environment |= {"TOKEN": token(alice), "OTHER_TOKEN": token(user("olga", "operator")), "VAR_DIR": str(tmp_path)}
    environment |= {"ENVIRONMENT": "development", "no_proxy": "*", "LC_ALL": "C.UTF-8"}
    for language, code, expected in BLOCK.findall(GUIDE):
        if language == "yaml":
            (tmp_path / "rolling_reboot.yaml").write_text(code)
            continue
        script = f"{CALL}\ntouch state; . ./state\nset -e\n{code}\n{KEEP}"
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 60}
        done = subprocess.run(["bash", "-c", script], check=False, **options)
        assert done.returncode == 0, (code, done.stdout, done.stderr)
        for line in expected.splitlines():
            assert line in done.stdout, (code, done.stdout, done.stderr)
        if "approve" in code or "RUN=" in code:
            play(run_worker, until_approval="RUN=" in code)


def play(run_worker, *, until_approval):
    """Let the worker do what is due; of an approval, without the time it waits passing."""
    if not until_approval:
        run_worker()
        return
    from apps.operations.queue import leases
    from apps.operations.worker import runner

    for _ in range(3):
        for lease in leases.claim(owner="node", max_count=10):
            runner.run(str(lease.operation_id), lease.fence)


def test_it_names_every_key_of_the_format_and_every_kind():
    for key in (*SHAPE["properties"], *STEP["properties"]):
        assert f"`{key}`" in TEXT, key
    usable = {name for name, kind in kinds().items() if kind.submit and not name.startswith("probe.")}
    assert {name for name in usable if f"`{name}`" not in TEXT} == {"workflow.run", "workflow.approve", "workflow.wait"}


@pytest.mark.parametrize("type", sorted(path.stem for path in (ROOT / "apps/workflows/definitions").glob("*.yaml")))
def test_it_shows_every_shipped_type_with_its_picture(type):
    assert f"| `{type}` | " in TEXT
    picture = (ROOT / "docs" / "images" / f"workflow_{type}.svg").read_text()
    assert all(f">{step.name}" in picture for step in definitions()[type].steps)
