"""Every way in which sessions and tokens end, and that nothing revives them."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection

from apps.accounts import services
from apps.accounts.models import TokenFamily, User
from tests.conftest import PASSWORD
from tests.console import act, browser, page, seeded, shown_messages
from tests.refusals import refused


@pytest.fixture
def tokens(api, bob):
    return api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()


@pytest.fixture
def ask(api):
    return lambda token, method="get", path="/v1/servers": getattr(api(), method)(
        path, HTTP_AUTHORIZATION=f"Bearer {token}"
    )


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


# ── deactivation ──────────────────────────────────────────────────────────────────────────────────────────────────────
def by_saving(user):
    user.is_active = False
    user.save()


def by_saving_one_field(user):
    user.is_active = False
    user.save(update_fields=["is_active"])


def by_update(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def by_bulk_update(user):
    user.is_active = False
    User.objects.bulk_update([user], ["is_active"])


def by_base_manager(user):
    User._base_manager.update(is_active=False)


def by_sql(user):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_active = %s WHERE id = %s", [False, user.pk])


def by_the_admins_form(user):
    groups = [group.pk for group in user.groups.all()]
    answer = browser(seeded("chief", "admin")).post(page(user), {"username": user.username, "groups": groups})
    assert answer.status_code == 302


WAYS = [by_saving, by_saving_one_field, by_update, by_bulk_update, by_base_manager, by_sql, by_the_admins_form]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_ends_everything_for_good_when_a_user_is_deactivated(way, bob, tokens, ask, api):
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    session = browser(bob)
    assert session.get("/admin/").status_code == 200
    way(bob)
    assert not TokenFamily.objects.active().filter(user=bob).exists()
    stale = User.objects.get(pk=bob.pk)
    stale.is_active = True
    stale.save()
    refused(ask(tokens["token"]), 401)
    refused(api().post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 401)
    assert session.get("/admin/").status_code == 302
    assert api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).status_code == 200


def test_it_is_not_undone_by_saving_a_row_read_before(bob, tokens, ask):
    before = User.objects.get(pk=bob.pk)
    session = browser(bob)
    by_update(bob)
    before.save()  # active again, as it was when it was read
    assert User.objects.get(pk=bob.pk).is_active
    refused(ask(tokens["token"]), 401)
    assert session.get("/admin/").status_code == 302


def test_it_survives_a_repeated_migrate(bob, tokens, ask):
    call_command("migrate", verbosity=0)
    by_update(bob)
    User.objects.filter(pk=bob.pk).update(is_active=True)
    refused(ask(tokens["token"]), 401)


def test_it_leaves_others_alone(bob, alice, api, ask):
    other = api().post("/v1/auth/login", {"username": "alice", "password": PASSWORD}).json()
    by_update(bob)
    assert ask(other["token"]).status_code == 200


# ── logout ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_ends_the_callers_family_and_no_other(api, tokens, ask):
    other = api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()
    answer = ask(tokens["token"], "post", "/v1/auth/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(ask(tokens["token"]), 401)
    refused(api().post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 401)
    assert ask(other["token"]).status_code == 200


def test_it_refuses_to_log_out_twice_or_nobody(api, tokens, ask):
    ask(tokens["token"], "post", "/v1/auth/logout")
    refused(ask(tokens["token"], "post", "/v1/auth/logout"), 401)
    refused(api().post("/v1/auth/logout"), 401)


def test_it_needs_no_permission_to_log_out(api, charlie):
    assert api(charlie).post("/v1/auth/logout").status_code == 204


# ── end all sessions ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_ends_all_sessions_of_a_user(chief, bob, tokens, ask):
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    session, client = browser(bob), browser(chief)
    response = act(client, [bob], "end_all_sessions")
    assert shown_messages(response) == ["All sessions and tokens of bob have ended."]
    refused(ask(tokens["token"]), 401)
    assert session.get("/admin/").status_code == 302
    assert client.get("/admin/").status_code == 200
    assert "Ended all sessions" in client.get(page(bob).replace("change", "history")).content.decode()


def test_it_does_not_end_sessions_of_who_may_do_more(chief, tokens):
    owner = User.objects.create_superuser("owner", password=PASSWORD)
    session = browser(owner)
    assert "may do more than you" in shown_messages(act(browser(chief), [owner], "end_all_sessions"))[0]
    assert session.get("/admin/").status_code == 200


def test_it_ends_new_sessions_too_when_asked_again(bob, api, ask):
    for _ in range(3):
        token = api().post("/v1/auth/login", {"username": "bob", "password": PASSWORD}).json()["token"]
        assert ask(token).status_code == 200
        services.end_sessions(bob)
        refused(ask(token), 401)


def test_it_keeps_sessions_when_a_role_changes(bob, tokens, ask):
    bob.groups.set(Group.objects.filter(name="operator"))
    assert ask(tokens["token"]).status_code == 200
