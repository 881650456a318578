"""The README and docs/: walks, run as they stand against what `make run` starts; tables, links, decisions."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from drf_spectacular.generators import SchemaGenerator

from apps.emulator.containers import installation as emulated_installation
from tests.operations.processes import descendants, is_alive
from tests.providers.clouds.local import clear, containers, engine_settings, usable_engine
from tests.reference import endpoints

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
WALK = README + (ROOT / "docs" / "api.md").read_text()  # the second goes on where the first ends
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "deploy" / "README.md", *(ROOT / "docs").rglob("*.md")]
ENDINGS = {".py", ".yaml", ".yml", ".j2", ".service", ".example", ".conf"}
OF_OTHERS = {"host_vars", "to_representation"}  # names of Ansible and the REST framework that the code does not use
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```(?:json|text)\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
MARK = "── end of block ──"
PATIENCE = 180
REAL_PATIENCE = 600  # apt fetches packages
VARYING = {
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "id": r"(?<=srv-|tsk-)[a-z0-9]{20}",
    "time": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z",
    "address": r"(?:127\.77|10\.\d+)\.\d+\.\d+",
}


def same(text):
    """Leave out what differs from run to run, and how lines are broken."""
    text = re.sub(r"\s+", "", text)
    for name, pattern in VARYING.items():
        text = re.sub(pattern, name, text)
    return text


@contextmanager
def database(folder):
    """Give the URL of an empty database of the kind that the suite runs on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{folder}/readme.sqlite3"
        return
    at = settings.DATABASES["default"]
    facts = {"host": at["HOST"], "port": at["PORT"] or None, "user": at["USER"], "password": at["PASSWORD"] or None}
    name = f"provisioning_readme_{os.getpid()}"
    with psycopg.connect(dbname="postgres", autocommit=True, **facts) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + name
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def served(folder, accounts, **more):
    """Run what `make run` runs, on a free port; gives its environment, its process and what it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    with database(folder) as url, log.open("w") as file:
        given = {"ENVIRONMENT": "development", "PORT": str(port), "VAR_DIR": str(folder), "DATABASE_URL": url, **more}
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | given
        process = subprocess.Popen(
            [sys.executable, "manage.py", "dev"], cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            wait_for("Ctrl-C stops", log, process)
            wait_for(f"catalog: {accounts} account(s) read", log, process)
            yield environment, process, log
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


def wait_for(text, log, process):
    give_up = time.monotonic() + PATIENCE
    while text not in log.read_text():
        assert process.poll() is None and time.monotonic() < give_up, log.read_text()
        time.sleep(0.1)


def walk(blocks, environment, log, seconds=2 * PATIENCE):
    """Run the commands of a page and compare the answers."""
    script = "".join(f"{commands}echo '{MARK}'\n" for commands, _ in blocks)
    script = script.replace("http://localhost:8083", f"http://localhost:{environment['PORT']}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(".venv/bin/python", sys.executable)],
        **{"cwd": ROOT, "env": environment, "stdin": subprocess.DEVNULL},
        **{"capture_output": True, "text": True, "timeout": seconds, "check": False},
    )
    assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
    for (commands, answers), printed in zip(blocks, done.stdout.split(MARK), strict=False):
        parts = [re.escape(part) for part in same(answers).split("…")]
        assert re.fullmatch(".*".join(parts), same(printed)), f"{commands}\nanswers\n{printed}\nand not\n{answers}"


@pytest.mark.slow
def test_it_walks_as_the_readme_says_and_leaves_no_process_behind(tmp_path):
    blocks = [block for block in BLOCK.findall(WALK) if "ssh -F" not in block[0]]
    assert len(blocks) > 8
    with served(tmp_path, accounts=1, DOCKER_HOST=f"unix://{tmp_path}/no-engine.sock") as (environment, process, log):
        walk(blocks, environment, log)
        assert_clean_log_and_stop(process, log)


@pytest.mark.slow
def test_it_walks_to_a_redis_that_answers_where_there_is_an_engine(tmp_path, settings, package_proxy):
    found = usable_engine()
    settings.EMULATOR_STATE = tmp_path / "emulator.sqlite3"
    name = emulated_installation()
    own = {"EMULATOR_STATE": str(settings.EMULATOR_STATE), "INSTALLATION": f"readme-{os.getpid()}"}
    own["TASKSERV_PACKAGE_SOURCES"] = json.dumps({"proxy": package_proxy})
    try:
        with served(tmp_path, accounts=2, **own, **engine_settings(found)) as (environment, _, log):
            blocks = [(commands.replace("~", str(tmp_path)), answers) for commands, answers in BLOCK.findall(README)]
            assert "hello" in blocks[-2][1]
            walk(blocks, environment, log, seconds=REAL_PATIENCE)
            assert containers(found, name) == {}
    finally:
        clear(found, name)


def assert_clean_log_and_stop(process, log):
    """See that nothing went wrong in what was printed, and that Ctrl-C leaves no process behind."""
    output = log.read_text()
    assert re.findall(r"Traceback|WARNING|ERROR|failed|could not", output) == []
    assert re.findall(r"^hint:", output, re.MULTILINE) == ["hint:"]
    assert_activity(output)

    family = descendants(process.pid)
    assert len(family) > 5
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert log.read_text().endswith("stopped\n")
    assert [pid for pid in family if is_alive(pid)] == []


def assert_activity(output):
    """Check that each request and each operation of the walk has one line in the output."""
    time_of_day = r"^\d\d:\d\d:\d\d"
    created = re.findall(rf"{time_of_day} POST /v1/servers/create 200 \d+ ms$", output, re.MULTILINE)
    assert len(created) == WALK.count("$API/v1/servers/create")
    operations = re.findall(
        rf"{time_of_day} operation (\S+) (\S+) (started|completed|cancelled|rolled back)", output, re.MULTILINE
    )
    assert len(operations) == len(set(operations))
    assert {("server.create", "started"), ("server.create", "completed")} <= {one[1:] for one in operations}


def test_it_lists_every_setting():
    text = (ROOT / "provisioning" / "settings.py").read_text()
    read = set(re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', text))
    listed = re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.MULTILINE)
    assert sorted(listed) == sorted(read)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_it_leads_to_pages_and_headings_that_are_there(page):
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_it_leads_to_every_page_from_the_readme():
    linked = {(ROOT / path).resolve() for path in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", README)}
    assert set((ROOT / "docs").glob("*.md")) <= linked


def test_it_names_files_and_identifiers_that_are_there():
    folders = ("apps", "provisioning", "deploy", "tests", "bench", "contrib")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    known = {str(path.relative_to(ROOT)) for path in files}
    words = OF_OTHERS | set(re.findall(r"\w+", "".join(path.read_text() for path in files)))
    wrong = []
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", page.read_text()):
            if re.fullmatch(r"[\w/]+\.py", code):
                is_wrong = not any(f"/{name}".endswith(f"/{code}") for name in known)
            else:  # an identifier of more than one word, whatever it is called with
                name = re.sub(r"[(=].*", "", code)
                words_in_name = re.findall(r"\w+", name) if re.fullmatch(r"\w+(\.\w+)*", name) else []
                is_wrong = any(re.search(r"\w_\w|[a-z][A-Z]", word) and word not in words for word in words_in_name)
            wrong += [f"{page.name}: {code}"] if is_wrong else []
    assert wrong == []


def test_it_names_the_paths_of_the_api_and_no_others():
    schema = SchemaGenerator().get_schema(public=True)
    beyond = set(schema["paths"]) - {endpoint.path for endpoint in endpoints()}
    table = WALK.partition("## Further paths")[2].partition("\n## ")[0]
    assert set(re.findall(r"(/(?:v1|health|metrics)[\w/{}.-]*)`", table)) - set(schema["paths"]) == set()
    assert beyond - set(re.findall(r"(/[\w/{}.-]+)`", table)) == set()


# ── docs/decisions ────────────────────────────────────────────────────────────────────────────────────────────────────
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_it_numbers_decisions_once():
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [path.read_text().partition(". ")[0] for path in DECISIONS] == [f"# {number}" for number in numbers]


def test_it_says_why_each_setting_of_django_q2_is_as_it_is():
    text = next(path for path in DECISIONS if path.name.startswith("0003")).read_text()
    assert [key for key in settings.Q_CLUSTER if f"`{key}`" not in text] == []
