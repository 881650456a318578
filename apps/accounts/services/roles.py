"""Roles and permissions: the four documented roles, and who may give what to others."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from apps.accounts.models import User

READS = ("server_read", "taskserv_read", "workflow_read", "operation_read", "workspace_read")
DEVELOPS = (*READS, "taskserv_create", "workflow_submit")
OPERATES = (
    *DEVELOPS,
    "server_create",
    "server_delete",
    "taskserv_delete",
    "workflow_cancel",
    "operation_cancel",
    "system_metrics",
)
ROLES = {"viewer": READS, "developer": DEVELOPS, "operator": OPERATES, "admin": (*OPERATES, "workspace_create")}
# What role admin needs beyond the documented names, to do everything in the admin site: users and cloud accounts.
ADMINISTERS = (
    *(f"{verb}_{model}" for model in ("user", "group") for verb in ("view", "add", "change", "delete")),
    "account_change",
)


def ensure_roles() -> None:
    """Create the four roles and give each exactly the documented permissions, and role admin those of the site."""
    roles = {**ROLES, "admin": (*ROLES["admin"], *ADMINISTERS)}
    by_name = {item.codename: item for item in Permission.objects.filter(codename__in=roles["admin"])}
    for role, codenames in roles.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set([by_name[codename] for codename in codenames if codename in by_name])


# ── who may give what ─────────────────────────────────────────────────────────────────────────────────────────────────
def grantable_permissions(user: User) -> QuerySet[Permission]:
    """Select the permissions that the user may give to others: the user's own."""
    return Permission.objects.all() if user.is_superuser else permissions_of(user)


def grantable_groups(user: User) -> QuerySet[Group]:
    """Select the groups that give no more than the user's own permissions."""
    beyond = Permission.objects.exclude(pk__in=grantable_permissions(user).values("pk"))
    return Group.objects.all() if user.is_superuser else Group.objects.exclude(permissions__in=beyond)


def exceeds(other: User, user: User) -> bool:
    """Tell whether `other` may do, or could if active, what `user` may not."""
    if user.is_superuser:
        return False
    beyond = permissions_of(other).exclude(pk__in=grantable_permissions(user).values("pk"))
    return other.is_superuser or beyond.exists()


def permissions_of(user: User) -> QuerySet[Permission]:
    """Select the user's permissions, own and by groups, whether the user is active or not."""
    return Permission.objects.filter(Q(group__user=user) | Q(user=user)).distinct()


def set_role(user: User, role: str) -> bool:
    """Put the user into the role's group and out of the other roles'; tell whether anything changed.

    A deactivated user stays deactivated.
    """
    groups = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
    staff = role == "admin"
    if groups == {role} and user.is_staff == staff:
        return False
    user.groups.remove(*Group.objects.filter(name__in=groups - {role}))
    user.groups.add(Group.objects.get(name=role))
    User.objects.filter(pk=user.pk).update(is_staff=staff)
    return True
