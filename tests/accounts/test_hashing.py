"""Passwords are hashed a few at a time, wherever they are checked or set; everybody else is served meanwhile."""

import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.conf import settings as configured
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group

from apps.accounts import hashing
from apps.accounts.models import TokenFamily, User
from apps.accounts.services import issue
from apps.system.errors import RateLimited
from tests.conftest import PASSWORD
from tests.operations.databases import SQLite, connected
from tests.refusals import hold, refused
from tests.system.service import ask, service

HASHER = "apps.accounts.hashing.LimitedPBKDF2PasswordHasher"


@pytest.fixture
def limited(settings, tmp_path, monkeypatch):
    """Hash as in production, one password at a time; nobody waits."""
    settings.PASSWORD_HASHERS = [HASHER]
    settings.VAR_DIR = tmp_path
    limit = hashing.HashingLimit(1, max_waiting=1, wait_seconds=0)
    monkeypatch.setattr(hashing, "LIMIT", limit)
    return limit


@contextmanager
def all_slots_taken(limit):
    """Let another process hold the only slot."""
    code = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)"
    code += "; print(flush=True); sys.stdin.read()"
    path = str(configured.VAR_DIR / "hashing-0.lock")
    holder = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def in_a_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_it_reads_hashes_that_django_made(limited, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    hashed = make_password("a password")
    settings.PASSWORD_HASHERS = [HASHER]
    assert check_password("a password", hashed)
    assert not check_password("another", hashed)


def test_a_request_that_waits_too_long_is_refused(limited):
    with all_slots_taken(limited), pytest.raises(RateLimited) as refusal:
        in_a_thread(lambda: make_password("a password"))
    assert int(refusal.value.headers["Retry-After"]) > 0


def test_a_slot_is_free_again_when_its_holder_is_killed(limited):
    with all_slots_taken(limited) as holder:
        holder.kill()
        holder.wait()
        assert in_a_thread(lambda: make_password("a password")).startswith("pbkdf2_sha256$")


def test_it_hashes_passwords_without_a_writable_disk(limited, settings, tmp_path):
    settings.VAR_DIR = tmp_path / "missing"
    assert in_a_thread(lambda: make_password("a password")).startswith("pbkdf2_sha256$")


def test_a_command_waits_for_its_turn(limited):
    with all_slots_taken(limited) as holder:
        threading.Timer(0.3, holder.kill).start()
        assert make_password("a password").startswith("pbkdf2_sha256$")


@pytest.fixture
def busy(limited):
    """Let another process hold the only slot, and this one's main thread, which sends the requests here, not wait."""
    limited.command_seconds = 0
    with all_slots_taken(limited):
        yield


def test_the_api_says_when_to_log_in_again(api, alice, busy):
    User.objects.filter(pk=alice.pk).update(password="pbkdf2_sha256$1000000$salt$hash")
    for username in ("alice", "nobody"):
        answer = api().post("/v1/auth/login", {"username": username, "password": PASSWORD})
        refused(answer, 429, "RATE_LIMITED")
        assert answer["Retry-After"] == "2"


def test_the_admin_says_when_to_try_again(client, root, busy):
    User.objects.filter(pk=root.pk).update(is_staff=True, is_superuser=True)
    client.force_login(root)
    new = {"password1": "another-horse-battery", "password2": "another-horse-battery"}
    hashed = "pbkdf2_sha256$1000000$salt$hash"
    other = User.objects.create(username="eve", password=hashed)
    answers = {
        "another's password": client.post(f"/admin/accounts/user/{other.pk}/password/", new),
        "a new user": client.post(
            "/admin/accounts/user/add/", {"username": "mallory", "usable_password": "true", **new}
        ),
    }
    client.logout()
    answers["login"] = client.post("/admin/login/", {"username": "eve", "password": PASSWORD})
    for place, answer in answers.items():
        assert (answer.status_code, answer["Retry-After"]) == (429, "2"), place
    assert list(User.objects.filter(username__in=["eve", "mallory"]).values_list("password")) == [(hashed,)]


@pytest.mark.slow
def test_reads_go_on_while_thirty_log_in(tmp_path, django_db_blocker):
    with django_db_blocker.unblock(), SQLite(tmp_path).fresh() as url, connected(url):
        person = User.objects.create_user("alice")
        person.groups.add(Group.objects.get(name="operator"))
        family = TokenFamily.objects.create(user=person, expires_at="2999-01-01T00:00:00Z")
        operator = {"Authorization": f"Bearer {issue(person, family.pk, family.current).token}"}
        given = {"SECRET_KEY": configured.SECRET_KEY, "VAR_DIR": str(tmp_path), "LOGIN_ADDRESS_FAILURE_LIMIT": "1000"}
        with service(DATABASE_URL=url, **given) as port:
            hold_reads_to_their_time(port, operator)


def hold_reads_to_their_time(port, operator):
    def log_in(number):
        body = json.dumps({"username": f"user-{number}", "password": "wrong"})
        return ask(port, "POST", "/v1/auth/login", body)

    rounds = []
    for _ in range(3):
        usual = statistics.median(times_of_reads(port, operator, lambda count: count < 20))
        with ThreadPoolExecutor(30) as pool:
            logins = [pool.submit(log_in, number) for number in range(30)]
            meanwhile = times_of_reads(port, operator, lambda count, logins=logins: not all(map(Future.done, logins)))
        hold_logins_to_the_limit([login.result() for login in logins])
        assert max(meanwhile) < 5
        rounds.append(statistics.median(meanwhile) / usual)
        if rounds[-1] < 2:
            return
    # Other programs may want the processors in one moment and not in the next: they do not triple it each time.
    assert min(rounds) < 3, rounds


def hold_logins_to_the_limit(answers):
    assert set(Counter(status for status, _, _ in answers)) <= {401, 429}
    assert any(status == 401 for status, _, _ in answers)
    for status, headers, content in answers:
        hold(json.loads(content), status)
        assert status == 401 or re.fullmatch(r"\d+", headers["retry-after"])


def times_of_reads(port, operator, go_on):
    times = []
    while go_on(len(times)) or len(times) < 5:
        began = time.monotonic()
        assert ask(port, "GET", "/v1/operations", headers=operator)[0] == 200
        times.append(time.monotonic() - began)
    return times
