"""What the tests of drift share: comparing, switching machines past the driver, machines that nobody knows."""

from apps.operations.models import Operation
from apps.providers.models import CloudAccount
from apps.servers.services import drift


def compare(run_worker, account=None):
    """Compare an account with its cloud; returns the ended operation."""
    operation = drift.compare_account(account=account or CloudAccount.objects.get())
    run_worker()
    operation.refresh_from_db()
    return operation


def result(operation):
    assert operation.status == "completed", operation.error
    return operation.result


def lines(operation):
    """What an operation's log says."""
    return " | ".join(Operation.objects.get(pk=operation.pk).events.values_list("message", flat=True))


def switch(cloud, server, verb, body=None):
    """Start or stop a machine past the driver."""
    body = body or {"stop_server": {"stop_type": "hard"}} if verb == "stop" else {"server": {}}
    cloud.request("POST", f"/server/{server.ref}/{verb}", json=body).raise_for_status()


def resize(cloud, server, plan):
    """Give a machine another plan past the driver, as it has to be done there: stopped."""
    switch(cloud, server, "stop")
    cloud.request("PUT", f"/server/{server.ref}", json={"server": {"plan": plan}}).raise_for_status()


def marked(server_id):
    """The labels of a machine of this installation."""
    return {"prov-managed": "1", "prov-install": "provisioning", "prov-machine": server_id}
