"""docs/taskservs.md: the table is the catalog's, and its taskserv of your own works as written."""

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.taskservs import catalog_loader
from apps.taskservs.catalog_format import NEEDS
from apps.taskservs.catalog_loader import load_catalog
from tests.ssh import Client
from tests.taskservs.playing import request

PAGE = (catalog_loader.ROOT.parents[2] / "docs" / "taskservs.md").read_text()


@pytest.fixture
def own(tmp_path, settings):
    """Follow the page's steps with a catalog in a folder of this test; gives the folder and the last step's output."""
    steps = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    environment = {**os.environ, "CATALOG": str(tmp_path / "taskservs"), "ENVIRONMENT": "development"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    script = "set -eu\n" + "\n".join(steps)
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    catalog_loader.operators.cache_clear()
    settings.TASKSERV_PATHS = [environment["CATALOG"]]
    yield tmp_path / "taskservs", done.stdout
    catalog_loader.operators.cache_clear()


def test_it_lists_the_catalog():
    table = StringIO()
    call_command("list_taskservs", stdout=table)
    assert table.getvalue().strip() in PAGE, "copy what `manage.py list_taskservs` prints into docs/taskservs.md"
    for name in load_catalog():
        assert re.search(rf"^\| `{name}` \| [^|]+ \|$", PAGE, re.M), f"say by what {name} is verified"
    for need, what in NEEDS.items():
        assert f"| `{need}` | {what} |" in PAGE


def test_its_own_taskserv_is_found_and_checked(own, ask, web_01, run_worker):
    _, output = own
    assert output.strip().startswith("motd 1 can be used: install (0 tasks), configure (1 task)")
    assert load_catalog()["motd"].source == "operator"
    body = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1])
    answer = ask(body["name"], body["servers"], body["config"])
    assert answer.status_code == 200, answer.content
    run_worker()


def test_it_tells_what_is_wrong(own):
    folder, _ = own
    (folder / "motd" / "tasks" / "verify.yml").write_text("- name: Ask\n  command: true\n")
    with pytest.raises(CommandError, match="motd/tasks/verify.yml.*`command` is not allowed"):
        call_command("check_taskserv", str(folder / "motd"))
    (folder / "motd" / "taskserv.yaml").unlink()
    with pytest.raises(CommandError, match="motd/taskserv.yaml: is missing; write it[.]"):
        call_command("check_taskserv", str(folder / "motd"))
    with pytest.raises(CommandError, match="is not a directory"):
        call_command("check_taskserv", str(folder / "nothing"))


@pytest.mark.slow
def test_its_own_taskserv_works_on_a_real_server(own, ansible, real_servers, tmp_path):
    [server] = real_servers("web-01")
    folder, _ = own
    asked = request(str(folder / "motd"), [server], "configure", "verify", variables={"motd_text": "Good morning!"})
    operation = ansible.play(asked)
    assert operation.result["error"] == "", operation.result
    ssh = Client.of(server.workspace, tmp_path)
    assert ssh.run(server, "cat /etc/motd") == "Good morning!"
    ansible.play(request(str(folder / "motd"), [server], "remove"))
    assert ssh.tried(server, "test -e /etc/motd").returncode != 0
