"""`manage.py compare_servers`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.operations.models import Operation
from apps.servers.models import Server
from apps.servers.services import drift


def test_it_waits_for_the_comparison_under_way_and_prints_what_was_found(up, cloud, account, run_worker, monkeypatch):
    server = up()
    cloud.vanish(server.ref)
    monkeypatch.setattr("time.sleep", lambda seconds: run_worker())  # the worker works while the command sleeps
    drift.compare_account(account=account)
    out = StringIO()
    call_command("compare_servers", stdout=out)
    assert "upcloud/default: 1 servers, 1 drifted, 0 orphans" in out.getvalue()
    assert "web-01: Its machine is gone" in out.getvalue()
    assert Operation.objects.filter(kind="servers.compare").count() == 1
    assert Server.objects.get().drift == "gone"


def test_it_says_when_no_worker_has_taken_it(account):
    with pytest.raises(CommandError, match="is one running"):
        call_command("compare_servers", wait=0)
