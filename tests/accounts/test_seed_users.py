import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
GENERATED = re.compile(r"password: (\S+)")


@pytest.fixture(params=[True, False], ids=["development", "production"])
def anywhere(request, settings):
    settings.DEVELOPMENT = request.param


@pytest.fixture
def production(settings):
    settings.DEVELOPMENT = False


def seed(*arguments):
    out = StringIO()
    call_command("seed_users", *map(str, arguments), stdout=out)
    return out.getvalue()


def people():
    return {
        user.username: (user.password, user.is_staff, user.is_active, *user.groups.values_list("name", flat=True))
        for user in User.objects.all()
    }


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "users.yaml"
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        return path

    return write


# ── without arguments: one user a role ────────────────────────────────────────────────────────────────────────────────
def test_it_makes_a_user_of_each_role_with_the_passwords_of_development():
    seed()
    for role in ("admin", "operator", "developer", "viewer"):
        user = User.objects.get(username=role)
        assert [group.name for group in user.groups.all()] == [role]
        assert user.check_password(f"{role}123")
        assert user.is_staff == (role == "admin")
        assert user.is_active and not user.is_superuser


def test_it_makes_up_passwords_in_production_and_prints_them_once(production, api):
    out = seed()
    passwords = GENERATED.findall(out)
    assert len(set(passwords)) == 4
    assert all(len(password) >= 16 for password in passwords)
    for line in out.splitlines():
        username = line.split()[1]
        body = {"username": username, "password": GENERATED.search(line)[1]}
        assert api().post("/v1/auth/login", body).status_code == 200
        assert not User.objects.get(username=username).check_password(f"{username}123")
    assert not GENERATED.search(seed())


def test_it_changes_nothing_when_run_again(anywhere):
    seed()
    before = people()
    out = seed()
    assert people() == before
    assert out.count("unchanged") == 4


def test_it_leaves_a_password_that_was_changed_alone():
    seed()
    admin = User.objects.get(username="admin")
    admin.set_password(PASSWORD)
    admin.save()
    seed()
    assert User.objects.get(username="admin").check_password(PASSWORD)


def test_it_does_not_let_a_deactivated_user_in_again():
    seed()
    User.objects.filter(username="viewer").update(is_active=False)
    seed()
    assert not User.objects.get(username="viewer").is_active


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_makes_those_named(anywhere):
    out = seed("alice:operator", "bob")
    assert len(GENERATED.findall(out)) == 2
    assert {name: facts[3:] for name, facts in people().items()} == {"alice": ("operator",), "bob": ("viewer",)}


def test_it_moves_a_user_to_another_role_and_keeps_the_password(anywhere):
    seed("alice:admin")
    before = people()["alice"]
    out = seed("alice:viewer")
    assert "changed" in out and not GENERATED.search(out)
    assert people()["alice"] == (before[0], False, True, "viewer")


@pytest.mark.parametrize("name", ["alice:king", "al ice", ":viewer", "a" * 151, "alice\n", "a:b:viewer"])
def test_it_refuses_what_cannot_be(name, anywhere):
    with pytest.raises(CommandError):
        seed("bob:operator", name)
    assert people() == {}


# ── a file ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_makes_those_of_a_file(anywhere, file):
    path = file(f"- {{username: alice, role: operator, password: {PASSWORD}}}\n- {{username: bob, role: viewer}}\n")
    out = seed("--file", path)
    assert PASSWORD not in out
    assert len(GENERATED.findall(out)) == 1
    assert User.objects.get(username="alice").check_password(PASSWORD)
    before = people()
    assert seed("--file", path).count("unchanged") == 2
    assert people() == before


def test_it_sets_the_password_that_a_file_gives(file):
    seed("alice:operator")
    out = seed("--file", file(f"- {{username: alice, role: operator, password: {PASSWORD}}}"))
    assert "changed" in out
    assert User.objects.get(username="alice").check_password(PASSWORD)


def test_it_takes_a_file_and_names_together(file):
    seed("bob:operator", "--file", file("- {username: alice, role: viewer}"))
    assert set(people()) == {"alice", "bob"}


def test_it_creates_no_user_from_an_empty_list(file):
    assert seed("--file", file("[]")) == ""
    assert people() == {}


@pytest.mark.parametrize("password", ["sh0rt!x", "password123", "12345678901", "alice-alice"])
def test_it_refuses_weak_passwords_in_production_and_changes_nobody(password, production, file):
    text = f"- {{username: bob, role: viewer}}\n- {{username: alice-alice, role: viewer, password: '{password}'}}"
    with pytest.raises(CommandError, match="alice-alice") as refusal:
        seed("--file", file(text))
    assert people() == {}
    assert password == "alice-alice" or password not in str(refusal.value)


def test_it_takes_weak_passwords_in_development(file):
    seed("--file", file("- {username: alice, role: viewer, password: short}"))
    assert User.objects.get(username="alice").check_password("short")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "username: alice",
        "- alice",
        "- {username: alice}",
        "- {role: viewer}",
        "- {username: alice, role: viewer, admin: true}",
        "- {username: 5, role: viewer}",
        "- {username: alice, role: viewer, password: 12345678}",
        "- {username: alice, role: viewer, password: ''}",
        "- {username: alice, role: [viewer]}",
        "- {username: alice, role: null}",
        "- {username: alice, role: king}",
        "- {username: 'al ice', role: viewer}",
        "- {username: alice, role: viewer}\n- {username: alice, role: operator}",
        "- {username: 2025-13-45, role: viewer}",
        "- [",
        "a: *nothing",
        "!!python/object/apply:os.system ['true']",
        b"\xff\xfe\xff",
        b"- {username: a\x00, role: viewer}",
    ],
    ids=repr,
)
def test_it_says_what_is_wrong_with_a_file(text, anywhere, file):
    with pytest.raises(CommandError) as refusal:
        seed("--file", file(text))
    assert str(refusal.value)
    assert people() == {}


@pytest.mark.parametrize(("name", "reason"), [("missing.yaml", "No such file"), ("", "Is a directory")])
def test_it_says_when_there_is_no_file(name, reason, tmp_path):
    with pytest.raises(CommandError, match=f"cannot be read: {reason}"):
        seed("--file", tmp_path / name)


# ── a dry run ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_only_says_what_it_would_do(anywhere):
    seed("alice:viewer")
    before = people()
    out = seed("--dry-run", "alice:operator", "bob")
    assert people() == before
    assert not GENERATED.search(out)
    assert [line.split()[2:4] for line in out.splitlines()] == [["changed", "alice"], ["created", "bob"]]


def test_it_refuses_in_a_dry_run_what_it_would_refuse():
    with pytest.raises(CommandError):
        seed("--dry-run", "alice:king")
