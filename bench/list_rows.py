"""The rows of the benchmark of lists: operations with logs, workflows, servers and taskservs, and who reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bench.claims import SAYS

PLACES, LINES, SHORT_LINES = 10, 20_000, 500
MAX_OTHERS, NODES, APPROVALS = 2000, 100, 40  # schedules, freeze windows and orphans each; worker nodes; waiting
TEXTS = {
    "postgresql": {
        "ago": "now() - make_interval(secs => number)",
        "ended": "now() - make_interval(secs => number - number % 100)",
        "digits": "lpad(number::text, 8, '0')",
    },
    "sqlite": {
        "ago": "strftime('%Y-%m-%d %H:%M:%S', 'now', -number || ' seconds')",
        "ended": "strftime('%Y-%m-%d %H:%M:%S', 'now', -(number - number % 100) || ' seconds')",
        "digits": "printf('%08d', number)",
    },
}
KINDS = (
    "CASE WHEN number % 10000 = 5 THEN 'server.reboot' WHEN number % {workflows} = 2 THEN 'workflow.run' "
    "WHEN number % 10 < 7 THEN 'server.create' WHEN number % 10 < 9 THEN 'taskserv.create' ELSE 'server.delete' END"
)
STATUSES = "CASE WHEN number % 50 = 3 THEN 'failed' WHEN number % 1000 = 10 THEN 'cancelled' ELSE 'completed' END"
OPERATION = {
    "kind": KINDS,
    "workspace_id": f"1 + number / 10 % {PLACES}",
    "target": "'server:srv-' || {digits}",
    "params": """'{{"server": "srv-' || {digits} || '", "hostname": "web-' || {digits} || '", "plan": "2xCPU-4GB"}}'""",
    "result": """'{{"server_id": "srv-' || {digits} || '", "ip_address": "192.0.2.7", "hourly_price": "0.0312"}}'""",
    "status": STATUSES,
    "due_at": "NULL",
    "created_at": "{ago}",
    "started_at": "{ago}",
    "ended_at": "{ended}",
    "updated_at": "{ended}",
}


def fill(vendor: str, operations: int, *, servers: int) -> tuple[Callable[[str], Any], tuple[str, str]]:
    """Insert what is not there yet; returns what opens a path, and the paths of an operation with a long log."""
    from django.db import connection

    from apps.operations.models import Operation

    if not Operation.objects.exists():
        insert_servers(servers)
        insert_operations(vendor, operations)
        insert_workflows()
        insert_log(LINES if operations > LINES else SHORT_LINES)
        insert_others(min(servers, MAX_OTHERS))
        insert_approvals()
        if vendor == "postgresql":  # as it does by itself; SQLite keeps no statistics
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
    long = Operation.objects.get(target="long")
    return visitor(), (f"/admin/operations/operation/{long.pk}/change/", f"/v1/operations/{long.pk}/events?limit=200")


def visitor() -> Callable[[str], Any]:
    """Return what opens a path as a user who may read everything."""
    from django.contrib.auth.models import Group
    from django.test import Client

    from apps.accounts.models import TokenFamily, User
    from apps.accounts.services import issue

    user = User.objects.get_or_create(username="bench")[0]
    user.groups.add(*Group.objects.all())
    family = TokenFamily.objects.create(user=user, expires_at="2999-01-01T00:00:00Z")
    headers = {"Authorization": f"Bearer {issue(user, family.pk, family.current).token}"}
    browser, client = Client(), Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def get(path: str) -> Any:
        answer = client.get(path, headers=headers) if path.startswith("/v1/") else browser.get(path)
        assert answer.status_code in (200, 302), (path, answer.content[:500])  # noqa: S101 - p=200 of an empty list
        if answer.streaming:
            answer.getvalue()
        return answer

    return get


def insert_servers(count: int) -> None:
    """Insert workspaces, an account, servers, and on each a taskserv."""
    from apps.providers.models import CloudAccount
    from apps.servers.models import Server
    from apps.taskservs.models import Installation, Taskserv
    from apps.workspaces.models import Workspace

    for number in range(PLACES):
        Workspace.objects.create(id=1 + number, name=f"place-{number}", path=f"/opt/place-{number}")
    account = CloudAccount.objects.create(provider="upcloud", name="bench", endpoint="http://127.0.0.1:9/1.3")
    facts = {"account": account, "provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "status": "running"}
    servers = [
        Server(
            id=f"srv-{number:08}",
            hostname=f"web-{number:05}",
            workspace_id=1 + number % PLACES,
            tags=["web", "rare"] if number % 1000 == 7 else ["web"],
            **facts,
        )
        for number in range(count)
    ]
    taskservs = [
        Taskserv(id=f"tsk-{number:08}", workspace_id=1 + number % PLACES, name="docker", version="27", status="running")
        for number in range(count)
    ]
    Server.objects.bulk_create(servers, batch_size=500)
    Taskserv.objects.bulk_create(taskservs, batch_size=500)
    places = zip(taskservs, servers, strict=True)
    Installation.objects.bulk_create((Installation(taskserv=one, server=two) for one, two in places), batch_size=500)


def insert_operations(vendor: str, count: int, first: int = 0) -> None:
    """Insert operations, a second apart, each with two lines of log; 1%, or of few 25%, are workflows."""
    from django.db import connection

    from bench.claims import COLUMNS

    # So many that lists show a whole page of workflows, whatever the number of operations.
    texts = {**SAYS[vendor], **TEXTS[vendor], "workflows": "100" if count > 10_000 else "4"}
    columns = {name: value.format(**texts) for name, value in (COLUMNS | OPERATION).items()}
    numbers = texts["numbers"].format(count=count)
    with connection.cursor() as cursor:
        if vendor == "postgresql":
            cursor.execute("ALTER TABLE operations_operation DISABLE TRIGGER USER")
        cursor.execute(
            f"INSERT INTO operations_operation ({', '.join(columns)}) "
            f"SELECT {', '.join(columns.values())} FROM ({numbers}) AS n WHERE number > {first}"
        )
        cursor.execute(
            "INSERT INTO operations_event (operation_id, seq, at, level, message, data) "
            "SELECT o.id, s.seq, o.created_at, "
            "CASE WHEN s.seq = 2 AND o.status = 'failed' THEN 'error' ELSE 'info' END, "
            "'TASK [server : wait until the machine answers] ok', '{}' FROM operations_operation o "
            "CROSS JOIN (SELECT 1 AS seq UNION ALL SELECT 2) AS s "
            "WHERE NOT EXISTS (SELECT 1 FROM operations_event e WHERE e.operation_id = o.id AND e.seq = s.seq) "
            "ORDER BY o.created_at, s.seq"
        )
        if vendor == "postgresql":
            cursor.execute("ALTER TABLE operations_operation ENABLE TRIGGER USER")


def insert_workflows() -> None:
    """Insert a workflow for each operation that is one."""
    from apps.operations.models import Operation
    from apps.workflows.definition import RUN
    from apps.workflows.models import Workflow

    keys = Operation.objects.filter(kind=RUN).values_list("pk", flat=True)
    made = [Workflow(operation_id=key, type="create_server", definition={"title": "T", "steps": []}) for key in keys]
    Workflow.objects.bulk_create(made, batch_size=1000)


def insert_log(lines: int) -> None:
    """Insert an operation with so many lines of log."""
    from apps.operations.models import Event, Operation

    operation = Operation.objects.create(kind="server.create", target="long", status="completed", due_at=None)
    made = [Event(operation=operation, seq=1 + number, message=f"TASK [{number}] *** ok") for number in range(lines)]
    Event.objects.bulk_create(made, batch_size=1000)


def insert_others(count: int) -> None:
    """Insert schedules, freeze windows, orphans, worker nodes, and what verifications of taskservs have found."""
    from django.db.models import F
    from django.utils import timezone

    from apps.operations.models import WorkerNode
    from apps.providers.models import CloudAccount
    from apps.servers.models import Orphan
    from apps.taskservs.models import Installation
    from apps.workflows.models import FreezeWindow, Schedule

    account, now, numbers = CloudAccount.objects.get(name="bench"), timezone.now(), range(count)
    day, health = timedelta(days=1), Installation.Health
    places = {number: {"workspace_id": 1 + number % PLACES} for number in numbers}
    schedule = {"workflow_type": "create_server", "cron": "0 3 * * *", "next_at": now + day}
    Schedule.objects.bulk_create(Schedule(name=f"nightly-{each}", **schedule, **places[each]) for each in numbers)
    FreezeWindow.objects.bulk_create(
        FreezeWindow(
            reason=f"release {each}", starts_at=now + each * day, ends_at=now + (each + 1) * day, **places[each]
        )
        for each in numbers
    )
    Orphan.objects.bulk_create(Orphan(account=account, ref=f"ref-{each}", server_id=f"srv-{each}") for each in numbers)
    WorkerNode.objects.bulk_create(WorkerNode(name=f"node-{each:03}", workers=8) for each in range(NODES))
    Installation.objects.update(health=health.HEALTHY)
    numbered = Installation.objects.annotate(rest=F("id") % 1000)
    numbered.filter(rest__in=[7, 107, 207]).update(health=health.DEGRADED)
    numbered.filter(rest=9).update(health=health.UNREACHABLE)
    numbered.filter(rest=11).update(health=health.UNKNOWN)


def insert_approvals() -> None:
    """Insert workflows that wait for an approval."""
    from apps.operations.models import Operation
    from apps.workflows.definition import APPROVE, RUN
    from apps.workflows.models import Step, Workflow

    for number in range(APPROVALS):
        facts = {"workspace_id": 1 + number % PLACES, "status": "running"}
        run = Operation.objects.create(kind=RUN, **facts)
        workflow = Workflow.objects.create(operation=run, type="approved", definition={"title": "T", "steps": []})
        part = Operation.objects.create(kind=APPROVE, parent=run, **facts)
        Step.objects.create(
            workflow=workflow, name="approve", position=0, uses=APPROVE, status="running", operation=part
        )
