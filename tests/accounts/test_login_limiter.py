"""Failed logins behind proxies, from many addresses, and of many users from one address."""

import logging

import pytest
from axes.models import AccessAttempt

from tests.conftest import PASSWORD
from tests.refusals import refused

LIMIT, ADDRESS_LIMIT = 3, 8
PROXY = "10.0.0.9"


@pytest.fixture(autouse=True)
def behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = 1
    settings.AXES_FAILURE_LIMIT = LIMIT
    settings.LOGIN_ADDRESS_FAILURE_LIMIT = ADDRESS_LIMIT


@pytest.fixture
def log_in(api):
    def send(username, password=PASSWORD, forwarded="198.51.100.7", peer=PROXY):
        body = {"username": username, "password": password}
        return api().post("/v1/auth/login", body, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)

    return send


def fail(log_in, times, **options):
    return [log_in("alice", "wrong", **options).status_code for _ in range(times)]


def test_it_locks_a_user_out_from_the_failing_address_only(log_in, alice):
    fail(log_in, LIMIT)
    refused(log_in("alice"), 429, "RATE_LIMITED")
    assert log_in("alice", forwarded="198.51.100.8").status_code == 200


def test_it_cannot_be_dodged_by_a_forged_entry(log_in, alice):
    for number in range(LIMIT):
        log_in("alice", "wrong", forwarded=f"203.0.113.{number}, 198.51.100.7")
    refused(log_in("alice", forwarded="203.0.113.77, 198.51.100.7"), 429)


def test_it_cannot_lock_out_another_address_by_a_forged_entry(log_in, alice):
    fail(log_in, LIMIT + 1, forwarded="198.51.100.8, 203.0.113.5")
    assert log_in("alice", forwarded="198.51.100.8").status_code == 200


def test_it_knows_an_ipv6_client(log_in, alice):
    fail(log_in, LIMIT, forwarded="[2001:db8::7]:443")
    refused(log_in("alice", forwarded="2001:db8:0::7"), 429)
    assert log_in("alice", forwarded="2001:db8:0:1::7").status_code == 200


def test_it_counts_an_ipv6_network_as_one_client(log_in, alice, caplog):
    caplog.set_level(logging.WARNING)
    for number in range(LIMIT):
        log_in("alice", "wrong", forwarded=f"2001:db8::{number}:7")
    refused(log_in("alice", forwarded="2001:db8::ffff:ffff:ffff:ffff"), 429)
    assert 'user "alice" from 2001:db8::2:7' in caplog.text


def test_it_slows_an_ipv6_network_that_fails_for_many_users(log_in, alice):
    for number in range(ADDRESS_LIMIT):
        log_in(f"user-{number}", "wrong", forwarded=f"2001:db8::{number}:7")
    refused(log_in("alice", forwarded="2001:db8::8:7"), 429)
    assert log_in("alice", forwarded="2001:db8:0:1::7").status_code == 200


def test_it_slows_an_address_that_fails_for_many_users(log_in, alice, bob):
    answers = [log_in(f"user-{number}", "wrong").status_code for number in range(ADDRESS_LIMIT)]
    assert answers[: ADDRESS_LIMIT - 1] == [401] * (ADDRESS_LIMIT - 1)
    answer = log_in("alice")
    refused(answer, 429, "RATE_LIMITED")
    assert int(answer["Retry-After"]) > 0
    assert log_in("alice", forwarded="198.51.100.8").status_code == 200


def test_it_forgets_nothing_of_an_address_when_one_user_succeeds(log_in, alice, bob):
    for number in range(ADDRESS_LIMIT - 1):
        log_in(f"user-{number}", "wrong")
    assert log_in("bob").status_code == 200
    log_in("somebody", "wrong")
    refused(log_in("bob"), 429)


def test_it_counts_nobody_together_whose_address_is_not_known(log_in, alice):
    for number in range(ADDRESS_LIMIT + 1):
        log_in(f"user-{number}", "wrong", peer="", forwarded="unknown")
    assert log_in("alice", peer="", forwarded="unknown").status_code == 200


def test_it_names_user_and_address_in_the_log(log_in, alice, caplog):
    caplog.set_level(logging.WARNING)
    fail(log_in, LIMIT)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("axes")]
    assert len(lines) >= LIMIT
    assert all('user "alice" from 198.51.100.7' in line for line in lines)
    assert any("Locking out" in line for line in lines)


def test_it_lets_no_user_name_write_a_line_of_the_log(log_in, db, caplog):
    caplog.set_level(logging.WARNING)
    log_in("eve\nLocking out user", "wrong")
    assert not [line for record in caplog.records for line in record.getMessage().splitlines()[1:]]


def test_it_keeps_no_password_with_an_attempt(log_in, alice):
    log_in("alice", "wrong-secret-word")
    assert "wrong-secret-word" not in str(list(AccessAttempt.objects.values()))
