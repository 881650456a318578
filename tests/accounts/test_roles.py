from io import StringIO

from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

READS = {"server_read", "taskserv_read", "workflow_read", "operation_read", "workspace_read"}
OTHERS = {"server_create", "server_delete", "taskserv_create", "taskserv_delete", "workflow_submit", "workflow_cancel"}
OTHERS |= {"operation_cancel", "workspace_create", "system_metrics"}
EXPECTED = {
    "viewer": READS,
    "developer": READS | {"taskserv_create", "workflow_submit"},
    "operator": READS | OTHERS - {"workspace_create"},
    "admin": READS | OTHERS,
}


def held(role):
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_it_makes_four_roles(db):
    assert set(Group.objects.values_list("name", flat=True)) == set(EXPECTED)


def test_it_gives_each_what_is_documented(db):
    for role in ("viewer", "developer", "operator"):
        assert held(role) == EXPECTED[role]
    assert held("admin") >= EXPECTED["admin"]


def test_only_admin_may_add_and_change_users(db):
    for role in EXPECTED:
        assert bool({"add_user", "change_user"} & held(role)) == (role == "admin")


def test_it_has_each_documented_permission_once(db):
    found = Permission.objects.filter(codename__in=EXPECTED["admin"]).values_list("codename", flat=True)
    assert sorted(found) == sorted(EXPECTED["admin"])


def test_it_mends_the_roles_with_each_migrate(db):
    Group.objects.get(name="viewer").permissions.set(Permission.objects.filter(codename="server_delete"))
    Group.objects.get(name="operator").delete()
    own = Group.objects.create(name="our own")
    call_command("migrate", verbosity=0, stdout=StringIO())
    assert {role: held(role) & EXPECTED["admin"] for role in EXPECTED} == EXPECTED
    assert not own.permissions.exists()
