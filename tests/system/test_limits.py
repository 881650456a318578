"""Bodies made to cost as much as they can: each is refused for little work, in little memory, with a short answer."""

import json
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from apps.accounts.models import TokenFamily
from apps.accounts.services import issue
from apps.system.api.errors import body as error_body
from apps.system.errors import Conflict, Invalid
from tests.refusals import hold, refused
from tests.system.service import ask, service

pytestmark = pytest.mark.django_db
MAX_ANSWER, MAX_CPU_SECONDS, MAX_MEMORY_KB = 64 * 1024, 5, 300 * 1024
SIZE = 1_000_000
MANY = 20_000  # items, which a body may have
SERVER = {"workspace": "production", "provider": "upcloud", "plan": "a", "hostname": "web-01", "zone": "a"}
TASKSERV = {"workspace": "production", "name": "containerd", "servers": ["web-01"]}
WORKFLOW = {"workspace": "production", "workflow_type": "cluster_create"}


def items(text):
    """Return a JSON array of the item, about a megabyte."""
    return "[" + ",".join([text] * (SIZE // (len(text) + 1))) + "]"


def keys(value, length=6):
    """Return a JSON object of many keys, about a megabyte."""
    count = SIZE // (length + len(value) + 4)
    return "{" + ",".join(f'"{number:0{length}}":{value}' for number in range(count)) + "}"


def deep(levels=25):
    """Return objects within objects, each in a wide array."""
    text = items("1")[: SIZE // 2].rpartition(",")[0] + "]"
    for _ in range(levels):
        text = f'{{"a":{text},"b":[{{}}]}}'
    return text


def within(body, field, text):
    """Return a request with JSON text as a field."""
    return json.dumps({**body, field: "*"}).replace('"*"', text)


def bodies():
    """Yield a name, a path and a body."""
    lists = {"numbers": items("0"), "texts": items('"!"'), "good texts": items('"web"'), "arrays": items("[]")}
    objects = {"many keys": keys("0"), "long keys": keys("0", 5000), "texts": keys('"\\n"'), "deep": deep()}
    scalars = {
        "a huge number": "9" * SIZE,
        "a huge text": '"' + "x" * SIZE + '"',
        "escapes": '"' + "\\u0001" * 170_000 + '"',
    }
    for name, text in {**lists, **{f"an object of {name}": text for name, text in objects.items()}, **scalars}.items():
        yield f"tags: {name}", "/v1/servers/create", within(SERVER, "tags", text)
        if name in lists:
            yield f"servers: {name}", "/v1/taskservs/create", within(TASKSERV, "servers", text)
        yield f"mirrors: {name}", "/v1/taskservs/create", within(TASKSERV, "config", f'{{"registry_mirrors":{text}}}')
        parameters = f'{{"cluster_name":"a","node_count":1,"tags":{text}}}'
        yield f"parameters.tags: {name}", "/v1/workflows/submit", within(WORKFLOW, "parameters", parameters)
    for name, text in objects.items():
        yield f"config of {name}", "/v1/taskservs/create", within(TASKSERV, "config", text)
        yield f"parameters of {name}", "/v1/workflows/submit", within(WORKFLOW, "parameters", text)
        yield f"a body of {name}", "/v1/servers/create", text
    mirrors = {f"r{number}": "no address " + "é" * 500 for number in range(900)}
    yield (
        "wrong mirrors",
        "/v1/taskservs/create",
        json.dumps({**TASKSERV, "config": {"registry_mirrors": mirrors}}, ensure_ascii=False),
    )


@pytest.fixture
def web(root, workspace):
    """Run a web process on this test's database; gives its port and a header that logs root in."""
    family = TokenFamily.objects.create(user=root, expires_at="2999-01-01T00:00:00Z")
    headers = {"Authorization": f"Bearer {issue(root, family.pk, family.current).token}"}
    with service(DATABASE_URL=database_url(), SECRET_KEY=settings.SECRET_KEY) as port:
        yield port, headers


def database_url():
    """Return the test database as `DATABASE_URL` has it."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    password = f":{given['PASSWORD']}" if given["PASSWORD"] else ""
    return f"postgres://{given['USER']}{password}@{given['HOST']}:{given['PORT'] or 5432}/{given['NAME']}"


def processes(port):
    """Return the directories in /proc of the web server's processes."""
    wanted = f"PORT={port}".encode()
    servers = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if b"manage.py\0web\0" in read(path)]
    return [folder for folder in servers if wanted in read(folder / "environ").split(b"\0")]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def peak_memory(port):
    """Return the most memory in KiB that any of the processes has ever had resident."""
    lines = [line for path in processes(port) for line in read(path / "status").splitlines()]
    return max(int(line.split()[1]) for line in lines if line.startswith(b"VmHWM"))


def cpu_seconds(port):
    """Return the processor time that the processes have used."""
    ticks = [read(path / "stat").rpartition(b")")[2].split()[11:13] for path in processes(port)]
    return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")


@pytest.mark.django_db(transaction=True)
def test_it_refuses_costly_bodies_cheaply(web):
    port, headers = web
    dear = []
    for name, path, body in bodies():
        before = cpu_seconds(port)
        status, _, content = ask(port, "POST", path, body.encode(), headers)
        hold(json.loads(content), 400)
        assert status == 400 and len(content) < MAX_ANSWER, (name, len(content))
        if (cost := cpu_seconds(port) - before) > MAX_CPU_SECONDS:
            dear.append((name, cost))
    assert not dear
    assert peak_memory(port) < MAX_MEMORY_KB


# ── at sizes that are looked into ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/servers/create", SERVER | {"tags": [0] * MANY}, "tags"),
        ("/v1/servers", SERVER | {"tags": ["web"] * MANY}, "tags"),
        ("/v1/taskservs/create", TASKSERV | {"servers": ["!"] * MANY}, "servers"),
        (
            "/v1/taskservs/create",
            TASKSERV | {"config": {"registry_mirrors": {str(n): n for n in range(MANY)}}},
            "config",
        ),
        ("/v1/workflows/submit", WORKFLOW | {"parameters": {"tags": [[]] * MANY}}, "parameters"),
    ],
    ids=["tags", "good tags", "servers", "config", "parameters"],
)
def test_it_looks_at_the_length_before_the_items(path, body, field, api, root, workspace):
    error = refused(api(root).post(path, body), 400, "VALIDATION_ERROR")
    assert list(error["details"]) == [field]
    assert any(word in error["message"] for word in ("no more than", "more than"))


@pytest.mark.parametrize("count", [1, 5, 20, 100, 499])
def test_it_reports_a_few_dozen_wrong_items_at_most(count, api, root, workspace):
    error = refused(api(root).post("/v1/taskservs/create", TASKSERV | {"servers": [0] * count}), 400)
    assert list(error["details"]) == [f"servers.{number}" for number in range(min(count, 20))]


@pytest.mark.parametrize("count", [1, 4, 100, 4000])
def test_it_reports_a_few_dozen_faults_of_a_configuration_at_most(count, api, root, workspace):
    for config in (
        {f"k{n}": "é" * 50 for n in range(count)},
        {"registry_mirrors": {f"r{n}": n for n in range(count)}},
    ):
        answer = api(root).post("/v1/taskservs/create", TASKSERV | {"config": config})
        error = refused(answer, 400, "VALIDATION_ERROR", field="config")
        assert len(error["details"]) <= 20 and len(answer.content) < 10_000


@pytest.mark.parametrize("size", [10, 1000, 1_000_000])
@pytest.mark.parametrize(
    "make",
    [
        lambda text: Conflict(text),
        lambda text: Invalid(text, field=text),
        lambda text: Invalid("a", details={text + str(n): [text] * len(text) for n in range(9)}),
        lambda text: Invalid("a", details={f"{n}": ["a"] for n in range(len(text))}),
    ],
    ids=["message", "field", "sentences", "fields"],
)
def test_it_bounds_every_error_in_one_place(make, size):
    shape = error_body(make("é" * size))
    hold(shape, int(shape["code"]))
    assert len(json.dumps(shape, ensure_ascii=False).encode()) < MAX_ANSWER
    if size == 10:
        assert "…" not in json.dumps(shape, ensure_ascii=False)


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "number", ["2.0", "2e0", "2.5", "true", '"2"', "null", "[2]", "1e300", "123456789012345678901"]
)
def test_it_takes_whole_numbers_for_integers_only(number, api, root, workspace):
    caller = api(root)
    for body in (
        within(TASKSERV | {"name": "nginx"}, "config", f'{{"http_port":{number}}}'),
        within(TASKSERV | {"name": "docker"}, "config", f'{{"log_max_file":{number}}}'),
    ):
        answer = caller.generic("POST", "/v1/taskservs/create", body, content_type="application/json")
        refused(answer, 400, "VALIDATION_ERROR", field="config")
    body = within(WORKFLOW, "parameters", f'{{"cluster_name":"a","node_count":{number}}}')
    answer = caller.generic("POST", "/v1/workflows/submit", body, content_type="application/json")
    refused(answer, 400, "VALIDATION_ERROR", field="parameters.node_count")


@pytest.mark.parametrize("number", ["2.0", "2e0", "true", "+2", "-2", "02", "٢", "0x2", "1_0", "NaN", "1e1"])
def test_it_takes_whole_numbers_in_queries_only(number, api, root, workspace):
    for query in (f"servers?page={number}", f"operations?per_page={number}", f"sd/prometheus?port={number}"):
        refused(api(root).get(f"/v1/{query}"), 400, "VALIDATION_ERROR", field=query.partition("?")[2].partition("=")[0])
