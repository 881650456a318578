"""The search of an operation's log finds what is shown: names, not the ids that are stored."""

import re

import pytest

from apps.operations.admin import log
from apps.operations.models import Event
from tests.console import a_server, an_operation, browser, seeded


def found(client, operation, **query):
    answer = client.get(f"/admin/operations/operation/{operation.pk}/log", query)
    assert answer.status_code == 200
    return [int(number) for number in re.findall(r'data-seq="(\d+)"', answer.content.decode())]


@pytest.mark.parametrize("batch", [1, 2, 2000])
def test_lines_are_found_by_what_is_shown(batch, account, workspace, monkeypatch):
    monkeypatch.setattr(log, "BATCH_LINES", batch)
    server = a_server(account, workspace, "Web-01")
    operation = an_operation(workspace, status="completed")
    texts = {2: f"{server.pk} boots", 3: "Nothing of it", 4: f"Step server[0] holds {server.pk}", 5: "web-01 is up"}
    for seq, text in texts.items():
        Event.objects.create(operation=operation, seq=seq, message=text, level="error" if seq == 5 else "info")
    client = browser(seeded("viv", "viewer"))
    assert found(client, operation, q="web-01") == [2, 4, 5]
    assert found(client, operation, q=" WEB-01 ") == [2, 4, 5]
    assert found(client, operation, q=server.pk) == []
    assert found(client, operation, q="server 1 holds") == [4]
    assert found(client, operation, q="web-01", level="error") == [5]
    assert found(client, operation, q="web-01", after=2) == [4, 5]
    assert found(client, operation, q="web-01", before=5) == [2, 4]
    assert found(client, operation) == [1, 2, 3, 4, 5]


def test_of_more_matching_lines_the_first_or_last_are_answered(workspace, monkeypatch):
    monkeypatch.setattr(log, "BATCH_LINES", 4)
    monkeypatch.setattr(log, "MORE_LINES", 3)
    operation = an_operation(workspace, status="completed")
    Event.objects.bulk_create(Event(operation=operation, seq=seq, message=f"line {seq}") for seq in range(2, 20))
    client = browser(seeded("viv", "viewer"))
    address = f"/admin/operations/operation/{operation.pk}/log"
    assert found(client, operation, q="line") == [17, 18, 19]
    assert client.get(address, {"q": "line"})["X-Earlier-Lines"] == "yes"
    assert found(client, operation, q="line", after=4) == [5, 6, 7]
    assert client.get(address, {"q": "line", "after": 4})["X-More-Lines"] == "yes"
    assert client.get(address, {"q": "line", "after": 16})["X-More-Lines"] == "no"
