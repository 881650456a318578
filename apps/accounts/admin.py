"""Users and roles in the admin. Nobody gives, changes or takes over what exceeds their own permissions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.services import ROLES, exceeds, grantable_groups, grantable_permissions

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Users; their tokens die when the password changes or `active` is taken away."""

    list_display = ("username", "role_names", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "What the user may do",
            {
                "fields": ("is_active", "groups", "is_staff", "is_superuser", "user_permissions"),
                "description": "The groups are the roles. Staff may enter this site; role admin should be staff too.",
            },
        ),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read the roles of all users at once."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def role_names(self, user: User) -> str:
        """Show the groups."""
        return ", ".join(sorted(group.name for group in user.groups.all())) or "-"

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Leave superuser status, and permissions outside roles, to superusers."""
        own = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *own)

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **options: Any) -> Any:
        """Offer only the roles that give no more than one's own permissions."""
        if db_field.name == "groups":
            options["queryset"] = grantable_groups(request.user).order_by("name")
        return super().formfield_for_manytomany(db_field, request, **options)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to change who may do more."""
        return super().has_change_permission(request, obj) and not (obj and exceeds(obj, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to delete oneself, or who may do more."""
        refused = obj is not None and (obj == request.user or exceeds(obj, request.user))
        return super().has_delete_permission(request, obj) and not refused


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin):
    """Groups; the four documented roles stay as they are documented."""

    show_facets = admin.ShowFacets.NEVER

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **options: Any) -> Any:
        """Offer only one's own permissions."""
        field = super().formfield_for_manytomany(db_field, request, **options)
        if db_field.name == "permissions":
            field.queryset = grantable_permissions(request.user).select_related("content_type")
        return field

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Refuse to change a documented role, or a group that gives more than one's own permissions."""
        return super().has_change_permission(request, obj) and self.is_open(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Refuse likewise."""
        return super().has_delete_permission(request, obj) and self.is_open(request, obj)

    def is_open(self, request: HttpRequest, group: Group | None) -> bool:
        """Tell whether the user may change the group at all."""
        if group is None:
            return True
        return group.name not in ROLES and grantable_groups(request.user).filter(pk=group.pk).exists()
