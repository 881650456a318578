"""Servers put in without any cloud: the views for other tools only read rows."""

from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.taskservs.models import Installation, Taskserv
from apps.workspaces.models import Workspace


def place(name):
    return Workspace.objects.get_or_create(name=name, defaults={"path": f"/opt/workspaces/{name}"})[0]


def machine(hostname, workspace="production", **facts):
    """A running server; `facts` replace what the row says."""
    account, _ = CloudAccount.objects.get_or_create(
        provider="upcloud", name="default", defaults={"endpoint": "http://x"}
    )
    plain = {"provider": "upcloud", "plan": "2xCPU-4GB", "zone": "de-fra1", "status": "running"}
    plain |= {"ip_address": "10.0.0.1", "ssh_port": 22, "tags": []}
    return Server.objects.create(hostname=hostname, workspace=place(workspace), account=account, **plain | facts)


def installed(name, *servers, status="running"):
    """A taskserv on the servers."""
    taskserv = Taskserv.objects.create(workspace=servers[0].workspace, name=name, version="1", status=status)
    Installation.objects.bulk_create([Installation(taskserv=taskserv, server=server) for server in servers])
    return taskserv
