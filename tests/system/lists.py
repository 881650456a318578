"""Rows for the lists, put in without any service."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.workspaces.models import Workspace

START = datetime(2025, 10, 1, tzinfo=UTC)
PATHS = ("/v1/servers", "/v1/operations", "/v1/workspaces")


def moment(number):
    """Rows are an hour apart; each is a little past its whole second."""
    return START + timedelta(hours=number, microseconds=999_999)


def shown(number):
    return moment(number).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_servers(count, **facts):
    place, _ = Workspace.objects.get_or_create(name="production", defaults={"path": "/opt/workspaces/production"})
    account, _ = CloudAccount.objects.get_or_create(
        provider="upcloud", name="default", defaults={"endpoint": "http://x"}
    )
    plain = {"provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "workspace": place, "account": account}
    return Server.objects.bulk_create(
        Server(id=f"srv-{number:06}", hostname=f"web-{number:06}", created_at=moment(number), **plain | facts)
        for number in range(count)
    )


def make_operations(count, **facts):
    place, _ = Workspace.objects.get_or_create(name="production", defaults={"path": "/opt/workspaces/production"})
    plain = {"kind": "server.create", "workspace": place}
    return Operation.objects.bulk_create(
        Operation(id=UUID(int=number), created_at=moment(number), updated_at=moment(number), **plain | facts)
        for number in range(count)
    )


def make_workspaces(count):
    made = Workspace.objects.bulk_create(
        Workspace(name=f"team-{number:06}", path=f"/opt/workspaces/team-{number:06}") for number in range(count)
    )
    for number, workspace in enumerate(made[:50]):  # more of them need no time of their own
        Workspace.objects.filter(pk=workspace.pk).update(created_at=moment(number), last_used_at=moment(number))
    return made


MAKERS = dict(zip(PATHS, (make_servers, make_operations, make_workspaces), strict=True))
NAMES = dict(zip(PATHS, ("hostname", "id", "name"), strict=True))


def following(answer):
    """Return the address of the next page, or None."""
    return {rel: url for url, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', answer["Link"])}.get("next")


def walk(caller, url, name, each_time=lambda: None):
    """Follow the links; gives what the rows are called."""
    found = []
    while url:
        answer = caller.get(url)
        assert answer.status_code == 200, answer.content
        found += [row[name] for row in answer.json()]
        assert len(found) < 100, "the pages do not end"
        url = following(answer)
        each_time()
    return found
