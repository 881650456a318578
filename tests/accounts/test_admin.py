"""People in the admin site: the admin role manages them, and nobody lifts themselves."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests.conftest import PASSWORD
from tests.console import browser, listing, page, seeded, staff

ADD = "/admin/accounts/user/add/"


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


@pytest.fixture
def owner(db):
    return User.objects.create_superuser("owner", password=PASSWORD)


def given(user, **facts):
    groups = [group.pk for group in user.groups.all()]
    return {"username": user.username, "is_active": "on", "groups": groups} | facts


def test_it_lets_the_admin_role_add_people_and_give_roles(chief):
    client = browser(chief)
    viewer, operator = Group.objects.get(name="viewer"), Group.objects.get(name="operator")
    new = {"username": "erin", "password1": PASSWORD, "password2": PASSWORD, "groups": [viewer.pk]}
    assert client.post(ADD, new).status_code == 302
    erin = User.objects.get(username="erin")
    assert list(erin.groups.all()) == [viewer] and erin.check_password(PASSWORD)
    assert client.post(page(erin), given(erin, groups=[operator.pk])).status_code == 302
    assert list(erin.groups.all()) == [operator]


def test_it_does_not_let_the_admin_role_make_superusers(chief, bob):
    extra = Permission.objects.get(codename="add_schedule")
    for person in (bob, chief):
        facts = {"is_superuser": "on", "is_staff": "on", "user_permissions": [extra.pk]}
        assert browser(chief).post(page(person), given(person, **facts)).status_code == 302
        person.refresh_from_db()
        assert not person.is_superuser
        assert not person.user_permissions.exists()


@pytest.mark.parametrize("active", [True, False])
def test_it_does_not_let_the_admin_role_take_over_a_superuser(chief, owner, active):
    User.objects.filter(pk=owner.pk).update(is_active=active)
    client = browser(chief)
    password = {"usable_password": "true", "password1": "another-password-1", "password2": "another-password-1"}
    assert client.post(f"/admin/accounts/user/{owner.pk}/password/", password).status_code == 403
    assert client.post(page(owner), given(owner)).status_code == 403
    assert client.post(page(owner).replace("change", "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [owner.pk], "post": "yes"}
    client.post(listing(User), chosen)
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


def test_it_does_not_let_anybody_give_more_than_they_have(bob):
    clerk = staff("clerk", "view_user", "change_user", "server_read")
    client, role = browser(clerk), Group.objects.get(name="admin")
    for person in (bob, clerk):
        client.post(page(person), given(person, groups=[role.pk]))
        assert role not in person.groups.all()
    assert browser(clerk).post(page(seeded("chief", "admin")), {"username": "x"}).status_code == 403
    adder = staff("adder", "view_user", "add_user", "change_user", "server_read")
    new = {"username": "erin", "password1": PASSWORD, "password2": PASSWORD, "groups": [role.pk]}
    assert browser(adder).post(ADD, new).status_code == 200
    assert not User.objects.filter(username="erin").exists()


def test_roles_tell_in_words_what_they_allow_and_who_has_them(chief):
    client = browser(chief)
    seeded("viv", "viewer")
    viewer = Group.objects.get(name="viewer")
    for address in (listing(Group), page(viewer)):
        html = client.get(address).content.decode()
        assert "read operations, read servers, read taskservs" in html and "Can read" not in html, address
        assert f'href="{listing(User)}?groups__id__exact={viewer.pk}">1</a>' in html, address
    answer = client.get(listing(Group))
    assert answer.context["title"] == "Roles" and "Add a role" in answer.content.decode()


def test_it_keeps_the_documented_roles_as_documented(chief, owner):
    role = Group.objects.get(name="viewer")
    before = set(role.permissions.all())
    for person in (chief, owner):
        assert browser(person).post(page(role), {"name": "viewer", "permissions": []}).status_code == 403
        assert browser(person).post(page(role).replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert set(role.permissions.all()) == before


def test_it_offers_only_one_s_own_permissions_for_groups(chief):
    client = browser(chief)
    mine, beyond = Permission.objects.get(codename="server_read"), Permission.objects.get(codename="add_schedule")
    assert client.post("/admin/auth/group/add/", {"name": "a", "permissions": [beyond.pk]}).status_code == 200
    assert client.post("/admin/auth/group/add/", {"name": "b", "permissions": [mine.pk]}).status_code == 302
    assert not Group.objects.filter(name="a").exists()
    strong = Group.objects.create(name="strong")
    strong.permissions.add(beyond)
    assert client.post(page(strong), {"name": "strong", "permissions": []}).status_code == 403


def test_it_does_not_let_people_delete_themselves(chief):
    assert browser(chief).post(page(chief).replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_it_locks_out_who_fails_too_often_with_a_page(chief, settings):
    settings.AXES_FAILURE_LIMIT = 3
    client = Client()
    wrong = {"username": "chief", "password": "wrong"}
    answers = [client.post("/admin/login/", wrong) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert "Too many failed logins" in answers[-1].content.decode()
    assert answers[-1]["Content-Type"].startswith("text/html")
    assert answers[-1]["Retry-After"] == "300"
    right = {"username": "chief", "password": "correct-horse-battery-staple"}
    assert client.post("/admin/login/", right).status_code == 429


def test_it_answers_a_lockout_of_the_api_as_json(api, chief, settings):
    settings.AXES_FAILURE_LIMIT = 2
    wrong = {"username": "chief", "password": "wrong"}
    answers = [api().post("/v1/auth/login", wrong) for _ in range(3)]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"] == "RATE_LIMITED"


def test_an_impossible_role_is_refused_by_naming_those_there_are(chief):
    client = browser(chief)
    sent = {"username": "new", "password1": "correct-horse-7", "password2": "correct-horse-7", "groups": ["999"]}
    html = client.post(reverse("admin:accounts_user_add"), sent).content.decode()
    assert "999 is not one of admin, developer, operator, viewer." in html and "valid choice" not in html


def test_a_user_s_page_tells_that_there_is_a_password_and_nothing_of_its_hash(chief):
    html = browser(chief).get(page(seeded("olga", "operator"))).content.decode()
    assert (
        'There is one. <a class="c-link" href="../password/">' in html and "pbkdf2" not in html and "salt" not in html
    )
    assert "Superuser status" not in html


def test_a_role_is_made_of_permissions_in_words(chief):
    client = browser(chief)
    html = client.get(reverse("admin:auth_group_add")).content.decode()
    assert "create servers" in html and "Authentication and Authorization" not in html
    wanted = Permission.objects.get(codename="server_read")
    client.post(reverse("admin:auth_group_add"), {"name": "watchers", "permissions": [wanted.pk]})
    assert list(Group.objects.get(name="watchers").permissions.all()) == [wanted]
    assert "read servers" in client.get(page(Group.objects.get(name="watchers"))).content.decode()


def test_it_offers_to_generate_a_password_and_sends_none_itself(chief):
    """The browser makes it: tests/browser/test_secrets.py."""
    client, olga = browser(chief), seeded("olga", "operator")
    for address in (ADD, f"/admin/accounts/user/{olga.pk}/password/"):
        html = client.get(address).content.decode()
        assert html.count("data-generate") == html.count("system/generate_password.js") == 1, address
        assert '<code class="c-code"></code>' in html and 'data-copy=""' in html
