"""Streams of events over real connections, on both databases."""

import json
import threading
import time
import uuid
from contextlib import ExitStack

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection, transaction

from apps.accounts.models import TokenFamily, User
from apps.accounts.services import issue
from apps.operations import events
from apps.operations.models import Event, Operation
from apps.workspaces.models import Workspace
from tests.operations.conftest import on_both
from tests.operations.databases import connected
from tests.operations.fleet import eventually
from tests.operations.sse import Stream
from tests.operations.test_stream_rights import session_of
from tests.refusals import hold
from tests.system.service import ask, service


def token_of(name):
    """Make an operator; returns the header with their access token."""
    person = User.objects.create_user(name)
    person.groups.add(Group.objects.get(name="operator"))
    family = TokenFamily.objects.create(user=person, expires_at="2999-01-01T00:00:00Z")
    return {"Authorization": f"Bearer {issue(person, family.pk, family.current).token}"}


class Node:
    """A web server with one process and two threads, on a database of its own that this process is connected to."""

    def __init__(self, port, url):
        self.port, self.url = port, url
        self.token = token_of("alice")
        self.person = User.objects.get(username="alice")
        self.places = {name: Workspace.objects.create(name=name, path=f"/opt/{name}") for name in ("blue", "green")}

    def follow(self, path, headers=None, **options):
        return Stream(self.port, path, self.token | (headers or {}), **options)

    def submit(self, place="blue", kind="servers.create"):
        return Operation.objects.create(kind=kind, workspace=self.places[place])

    def log(self, operation, *messages):
        with transaction.atomic():
            Operation.objects.filter(pk=operation.pk).update(status_message="")
            for message in messages:
                events.append(operation, "info", message)

    def finish(self, operation):
        with transaction.atomic():
            Operation.objects.filter(pk=operation.pk).update(status="completed", due_at=None, result={"a": 1})
            events.append(operation, "info", "Completed.")


@pytest.fixture(scope="module", params=on_both())
def node(request, databases, django_db_blocker):
    with django_db_blocker.unblock(), databases(request.param).fresh() as url, connected(url):
        with service(DATABASE_URL=url, SECRET_KEY=settings.SECRET_KEY, WEB_THREADS="2", STREAMS_PER_USER="130") as port:
            yield Node(port, url)
        connection.close()


def messages_of(found, name="log"):
    return [message.data["message"] for message in found if message.name == name]


def test_it_streams_an_operation_to_its_end(node):
    operation = node.submit()
    node.log(operation, "one", "two")
    path = f"/v1/operations/{operation.pk}/events"
    with node.follow(path) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert messages_of(stream.until(lambda message: message.name == "waiting")) == ["one", "two"]
        node.log(operation, "three")
        node.finish(operation)
        found = stream.rest()
    assert messages_of(found) == ["three", "Completed."]
    assert [message.id for message in found if message.name == "log"] == ["3", "4"]
    assert (found[-1].name, found[-1].data["status"], found[-1].data["result"]) == ("end", "completed", {"a": 1})
    with node.follow(path, {"Last-Event-ID": "2"}) as again:
        assert messages_of(again.rest()) == ["three", "Completed."]


def test_it_begins_a_long_log_before_it_has_read_all_of_it(node):
    """Lines deleted after the first has come are not sent; 20 MB are more than the sockets between the two hold."""
    operation = node.submit()
    lines = (Event(operation=operation, seq=seq, message="x" * 1000) for seq in range(1, 20_001))
    Event.objects.bulk_create(lines, batch_size=5000)
    Operation.objects.filter(pk=operation.pk).update(status="completed", due_at=None)
    with node.follow(f"/v1/operations/{operation.pk}/events") as stream:
        assert stream.next().data["seq"] == 1
        Event.objects.filter(operation=operation, seq__gt=15_000, seq__lt=20_000).delete()
        *sent, last, end = stream.rest()
    seqs = [each.data["seq"] for each in sent]
    assert seqs == list(range(2, len(seqs) + 2)) and 15_000 <= seqs[-1] < 19_999
    assert (last.data["seq"], end.name) == (20_000, "end")


@pytest.mark.parametrize("path", ["/v1/operations/{}/events", "/v1/events?operation={}"])
def test_it_ends_when_its_operation_is_deleted(path, node):
    operation = node.submit()
    node.log(operation, "one")
    path = path.format(operation.pk)
    with node.follow(path) as stream:
        stream.next()
        time.sleep(1)
        Operation.objects.filter(pk=operation.pk).delete()
        assert "end" not in [message.name for message in stream.rest()]
    with node.follow(path) as again:
        assert again.status == 404


def test_many_streams_hold_no_thread_and_get_each_line_in_time(node):
    operation = node.submit()
    with ExitStack() as stack:
        streams = [stack.enter_context(node.follow(f"/v1/operations/{operation.pk}/events")) for _ in range(60)]
        streams += [stack.enter_context(node.follow(f"/v1/events?operation={operation.pk}")) for _ in range(60)]
        for stream in streams:
            assert stream.next().name in ("waiting", "operation")
        assert ask(node.port, "GET", "/v1/operations?page=1", headers=node.token)[0] == 200
        began = time.monotonic()
        node.log(operation, "news")
        for stream in streams:
            assert messages_of(stream.until(lambda message: message.name == "log")) == ["news"]
        assert time.monotonic() - began < 5
        streams = [stack.enter_context(node.follow("/v1/events")) for _ in range(10)]
        assert {stream.status for stream in streams} == {200}
        accept = node.token | {"Accept": "text/event-stream"}
        for path in ("/v1/events", f"/v1/operations/{operation.pk}/events"):
            status, headers, body = ask(node.port, "GET", path, headers=accept)
            assert (status, int(headers["retry-after"]) > 0, b"130 event streams" in body) == (429, True, True)
        with Stream(node.port, "/v1/events", token_of("eve")) as other:
            assert other.status == 200
    eventually(lambda: opens(node), what="streams that ended are counted no more")
    node.finish(operation)


def opens(node):
    """Tell whether one more stream is answered."""
    with node.follow("/v1/events") as stream:
        return stream.status == 200


def test_it_streams_all_operations_by_filter(node):
    kind = f"test.{uuid.uuid4().hex[:8]}"
    with (
        node.follow(f"/v1/events?kind={kind}") as everything,
        node.follow(f"/v1/events?kind={kind}&workspace=green") as green,
    ):
        time.sleep(1)
        blue, other = node.submit("blue", kind), node.submit("green", kind)
        node.log(blue, "in blue")
        node.log(other, "in green")
        time.sleep(1)
        node.finish(blue)
        node.finish(other)
        ended = lambda message: message.name == "operation" and message.data["status"] == "completed"  # noqa: E731
        found = everything.until(ended) + everything.until(ended)
        assert sorted(messages_of(found)) == ["Completed.", "Completed.", "in blue", "in green"]
        states = [(message.data["id"], message.data["status"]) for message in found if message.name == "operation"]
        assert sorted(states) == sorted(
            (str(o.pk), status) for o in (blue, other) for status in ("pending", "completed")
        )
        [line] = [message.data for message in found if message.data.get("message") == "in green"]
        assert list(line) == ["operation", "workspace", "kind", "seq", "at", "level", "message", "data"]
        assert (line["operation"], line["workspace"], line["kind"]) == (str(other.pk), "green", kind)
        assert messages_of(green.until(ended)) == ["in green", "Completed."]


def test_it_misses_and_repeats_nothing_however_often_it_is_cut(node):
    """Writers go on while a client comes and goes; what it has seen in the end is each line once, in order."""
    operations = [node.submit(kind="test.cut") for _ in range(4)]
    writer = threading.Thread(target=write_lines, args=(node, operations))
    with node.follow("/v1/events?kind=test.cut") as stream:
        stream.next()
        writer.start()
        found = [stream.until(lambda message: message.name == "log")[-1]]
    give_up = time.monotonic() + 60
    while len(found) < 160 and time.monotonic() < give_up:
        with node.follow("/v1/events?kind=test.cut", {"Last-Event-ID": found[-1].id}) as stream:
            some = [stream.until(lambda message: message.name == "log")[-1] for _ in range(min(23, 160 - len(found)))]
            found += some
    writer.join()
    for operation in operations:
        own = [message.data["seq"] for message in found if message.data["operation"] == str(operation.pk)]
        assert own == list(range(1, 41))
    for operation in operations:
        node.finish(operation)


def write_lines(node, operations):
    for number in range(40):
        for operation in operations:
            node.log(operation, f"line {number}")
    connection.close()


@pytest.mark.parametrize("node", on_both()[1:], indirect=True)  # SQLite has one writer at a time
def test_a_line_that_commits_late_is_not_missed(node):
    late, early = node.submit(kind="test.late"), node.submit(kind="test.late")
    insert = """INSERT INTO operations_event (operation_id, seq, at, level, message, data)
        VALUES (%s, 1, now(), 'info', %s, '{}')"""
    touch = "UPDATE operations_operation SET status_message = '' WHERE id = %s"
    with node.follow("/v1/events?kind=test.late") as stream, psycopg.connect(node.url) as slow:
        stream.until(lambda message: message.data.get("id") == str(early.pk))
        slow.execute(touch, [late.pk])
        slow.execute(insert, [late.pk, "took its number first"])
        with psycopg.connect(node.url) as fast:
            fast.execute(touch, [early.pk])
            fast.execute(insert, [early.pk, "commits first"])
        time.sleep(1)
        slow.commit()
        found = [stream.until(lambda message: message.name == "log")[-1] for _ in range(2)]
    assert messages_of(found) == ["took its number first", "commits first"]
    for operation in (late, early):
        Operation.objects.filter(pk=operation.pk).update(status="completed", due_at=None)


@pytest.mark.parametrize("node", on_both()[1:], indirect=True)  # only there do lines have to settle
def test_a_state_is_sent_after_the_lines_that_were_written_with_it(node):
    kind = f"test.{uuid.uuid4().hex[:8]}"
    operation = node.submit(kind=kind)
    with node.follow(f"/v1/events?kind={kind}") as stream, psycopg.connect(node.url) as other:
        stream.until(lambda message: message.name == "operation")
        other.execute("SELECT pg_current_xact_id()")  # as long as it is open no later line is settled
        node.finish(operation)
        time.sleep(1)
        other.rollback()
        found = stream.until(lambda message: message.data.get("status") == "completed")
    assert messages_of(found) == ["Completed."]


@pytest.mark.slow
def test_a_follower_that_does_not_read_is_dropped(node):
    operation = node.submit()
    with node.follow(f"/v1/operations/{operation.pk}/events", seconds=5) as idle:
        idle.next()
        for batch in range(0, 600, 20):
            lines = [Event(operation=operation, seq=batch + place, message="x" * 50_000) for place in range(1, 21)]
            Event.objects.bulk_create(lines)
            time.sleep(0.25)
        read = 0
        try:
            while chunk := idle.socket.recv(1 << 20):
                read += len(chunk)
        except ConnectionError:
            pass
    assert read < 25_000_000, "everything was kept for it"
    node.finish(operation)
    assert ask(node.port, "GET", "/health")[0] == 200


@pytest.mark.parametrize("query", ["?operation=x", "?kind=", "?kinds=a", "?workspace=a&workspace=b"])
def test_it_refuses_filters_that_cannot_be(query, node):
    status, _, content = ask(node.port, "GET", f"/v1/events{query}", headers=node.token)
    assert status == 400
    hold(json.loads(content), 400)


def test_pages_of_the_admin_follow_with_their_session(node):
    User.objects.filter(pk=node.person.pk).update(is_staff=True)
    cookie = {"Cookie": f"sessionid={session_of(node.person).session_key}"}
    operation = node.submit(kind="test.admin")
    node.log(operation, "seen by a page")
    with Stream(node.port, f"/admin/events/{operation.pk}", cookie) as stream:
        assert stream.next().data["message"] == "seen by a page"
    with Stream(node.port, "/admin/events?kind=test.admin", cookie | {"Sec-Fetch-Site": "same-origin"}) as stream:
        assert stream.next().data["id"] == str(operation.pk)
    for headers, expected in (
        ({}, 401),
        (node.token, 401),
        (cookie | {"Sec-Fetch-Site": "cross-site"}, 403),
        (cookie | {"Origin": "https://evil.example"}, 403),
    ):
        assert ask(node.port, "GET", "/admin/events", headers=headers)[0] == expected, headers
    assert ask(node.port, "POST", "/admin/events", headers=cookie)[0] == 405
    for path in ("/v1/events", f"/v1/operations/{operation.pk}/events"):
        assert ask(node.port, "GET", path, headers=cookie | {"Accept": "text/event-stream"})[0] == 401
