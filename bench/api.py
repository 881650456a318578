"""The API against a plain Django REST framework view set on the same rows, in the same process."""

from __future__ import annotations

import resource
from typing import Any

from bench.stage import database, race, table

SERVERS = 10_000


def main() -> None:
    """Run on the configured database."""
    with database() as vendor:
        compare(vendor)


def compare(vendor: str) -> None:
    """Fill the database and race the two."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, override_settings

    headers, some_id = prepare()
    client = Client()

    def get(path: str) -> Any:
        answer = client.get(path, headers=headers)
        content = answer.getvalue() if answer.streaming else answer.content
        assert answer.status_code == 200, content  # noqa: S101
        return content

    with override_settings(ROOT_URLCONF="bench.plain"):
        assert get("/v1/servers")[:200].startswith(b'[{"id"')
        lists = race({"plain ModelViewSet": lambda: get("/plain/servers"), "ours": lambda: get("/v1/servers")}, 15)
        table(f"GET /v1/servers, {SERVERS:,} servers, {vendor}", lists, "plain ModelViewSet")
        one = {
            "plain ModelViewSet": lambda: get(f"/plain/servers/{some_id}"),
            "ours": lambda: get(f"/v1/servers/{some_id}/status"),
        }
        table(f"GET /v1/servers/{{id}}/status, {vendor}", race(one, 500), "plain ModelViewSet")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            get(f"/v1/servers/{some_id}/status")
        print(f"  queries of ours: {len(queries)}")
    print(f"  peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def prepare() -> tuple[dict[str, str], str]:
    """Fill the database; returns an operator's headers and the id of one server."""
    from django.contrib.auth.models import Group
    from django.db import connection

    from apps.accounts.models import TokenFamily, User
    from apps.accounts.services import issue
    from apps.providers.models import CloudAccount
    from apps.servers.models import Server
    from apps.workspaces.models import Workspace

    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get(name="operator"))
    family = TokenFamily.objects.create(user=user, expires_at="2999-01-01T00:00:00Z")
    workspace = Workspace.objects.create(name="bench", path="/opt/bench")
    account = CloudAccount.objects.create(provider="upcloud", name="bench", endpoint="http://127.0.0.1:9/1.3")
    rows = [
        Server(
            workspace=workspace,
            account=account,
            provider="upcloud",
            hostname=f"web-{number:05}",
            plan="2xCPU-4GB",
            zone="de-fra1",
            tags=["web"],
            status="running",
            ip_address=f"10.0.{number // 256}.{number % 256}",
        )
        for number in range(SERVERS)
    ]
    Server.objects.bulk_create(rows, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    token = issue(user, family.pk, family.current).token
    return {"Authorization": f"Bearer {token}"}, rows[SERVERS // 2].id
