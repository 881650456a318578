"""Users and roles in the admin. Nobody gives, changes or takes over what exceeds their own permissions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Count, ManyToManyField, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminPasswordWidget

from apps.accounts.models import User
from apps.accounts.services import ROLES, end_sessions, exceeds, grantable_groups, grantable_permissions
from apps.system.admin import ago, badge, list_of
from apps.system.admin.bounded_search import BoundedSearch
from apps.system.admin.forms import NamesChoices
from apps.system.admin.saved_views import SavedViewsMixin

admin.site.unregister(Group)
# What the framework calls groups are the roles. This changes words only, and no migration.
Group._meta.verbose_name, Group._meta.verbose_name_plural = "role", "roles"

HELP_TEXTS = {
    "username": "Letters, digits and @ . + - _, 150 at most.",
    "is_active": "Off: the user cannot log in, and all sessions and tokens end.",
    "is_superuser": "May do everything, whatever the roles.",
}
WHAT_ROLES_GIVE = "A user may do what any of them allows."


class PasswordState(forms.Widget):
    """Whether a user has a password, and the way to another one; nothing of its hash."""

    read_only = True

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Show both."""
        if value and is_password_usable(value):
            return SafeString('<p>There is one. <a class="c-link" href="../password/">Set another one</a></p>')
        return SafeString('<p>There is none. <a class="c-link" href="../password/">Set one</a></p>')

    def id_for_label(self, id_: str) -> str:
        """Return no id: there is nothing to type."""
        return ""


class UserForm(NamesChoices, UserChangeForm):
    """A user, to be changed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        password = self.fields["password"]
        password.widget, password.help_text = PasswordState(), "Setting another one ends all sessions of the user."


class NewPassword(UnfoldAdminPasswordWidget):
    """A new password, to be typed or generated; the browser generates it, so that no response has it."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Add the button to the field."""
        return super().render(name, value, attrs, renderer) + render_to_string("admin/accounts/generate_password.html")


class NewUserForm(NamesChoices, UserCreationForm):
    """A user, to be made."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["password1"].widget = NewPassword({"autocomplete": "new-password"})


class PasswordForm(AdminPasswordChangeForm):
    """Another password for a user."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["password1"].widget = NewPassword({"autocomplete": "new-password", "autofocus": True})


class RoleForm(NamesChoices, forms.ModelForm):
    """A role, to be made or changed."""


def permission_text(permission: Permission) -> str:
    """Say what a permission allows, such as `create servers`."""
    return permission.name.removeprefix("Can ")


def permission_field(db_field: ManyToManyField, request: HttpRequest | None, **options: Any) -> Any:
    """Return a field with one's own permissions, each to be ticked."""
    if request is None:
        raise PermissionDenied
    options["queryset"] = grantable_permissions(signed_in(request)).select_related("content_type").order_by("name")
    field: Any = db_field.formfield(**options, help_text="", widget=UnfoldAdminCheckboxSelectMultipleWidget)
    field.label_from_instance = permission_text
    return field


def signed_in(request: HttpRequest) -> User:
    """Return the user of a request. Raises PermissionDenied without one; the site lets nobody else in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


@admin.register(User)
class UserAdmin(SavedViewsMixin, BoundedSearch, DjangoUserAdmin, ModelAdmin):
    """Users; their sessions and tokens die when the password changes or `active` is taken away."""

    actions = ["end_all_sessions"]
    form, add_form, change_password_form = UserForm, NewUserForm, PasswordForm

    list_display = ("username", "role_names", "state", "seen")
    search_help_text = "Part of the username, the names or the address"
    list_filter = ("is_active", "groups")
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("What the user may do", {"fields": ("is_active", "groups", "is_superuser", "user_permissions")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2", "groups")}),)
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read the roles of all users at once."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="status", ordering="is_active")
    def state(self, user: User) -> SafeString:
        """Show whether the user may log in, and who may do anything."""
        shown = badge("active") if user.is_active else badge("disabled", "stopped")
        return format_html("{} {}", shown, badge("superuser", "warning")) if user.is_superuser else shown

    @admin.display(description="last login", ordering="last_login")
    def seen(self, user: User) -> str:
        """Show when the user last logged in."""
        return ago(user.last_login, empty="never")

    @admin.display(description="roles")
    def role_names(self, user: User) -> str:
        """Show the groups."""
        return ", ".join(sorted(group.name for group in user.groups.all())) or "-"

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Show superuser status, and permissions outside roles, where there are some or may be given."""
        found = super().get_fieldsets(request, obj)
        if obj is None or request.user.is_superuser or obj.is_superuser or obj.user_permissions.exists():
            return found
        rare = {"is_superuser", "user_permissions"}
        return [
            (title, {**about, "fields": tuple(name for name in about["fields"] if name not in rare)})
            for title, about in found
        ]

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **options: Any) -> Any:
        """Say in our words what the switches do."""
        return super().get_form(request, obj, change=change, help_texts=HELP_TEXTS, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Leave superuser status, and permissions outside roles, to superusers."""
        own = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *own)

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **options: Any) -> Any:
        """Offer only the roles that give no more than one's own permissions, each to be ticked."""
        if db_field.name != "groups":
            return permission_field(db_field, request, **options)
        options["queryset"] = grantable_groups(signed_in(request)).order_by("name")
        return db_field.formfield(
            **options, label="Roles", help_text=WHAT_ROLES_GIVE, widget=UnfoldAdminCheckboxSelectMultipleWidget
        )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to change who may do more."""
        return super().has_change_permission(request, obj) and not (obj and exceeds(obj, signed_in(request)))

    @admin.action(description="End all sessions of selected users", permissions=["change"])
    def end_all_sessions(self, request: HttpRequest, queryset: QuerySet) -> None:
        """End tokens and browser sessions of each user who may not do more than the caller."""
        for user in queryset:
            if not self.has_change_permission(request, user):
                self.message_user(request, f"{user} may do more than you; nothing was ended.", messages.ERROR)
                continue
            end_sessions(user)
            self.log_change(request, user, "Ended all sessions.")
            self.message_user(request, f"All sessions and tokens of {user} have ended.", messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to delete oneself, or who may do more."""
        refused = obj is not None and (obj == request.user or exceeds(obj, signed_in(request)))
        return super().has_delete_permission(request, obj) and not refused


@admin.register(Group)
class GroupAdmin(BoundedSearch, DjangoGroupAdmin, ModelAdmin):
    """Roles; the four documented ones stay as they are documented."""

    form = RoleForm
    list_display = ("name", "holders", "allowed")
    search_help_text = "Part of a name"
    filter_horizontal = ()
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read what all roles allow, and how many users have them."""
        users = Count("user", filter=Q(user__is_active=True))
        return super().get_queryset(request).annotate(user_count=users).prefetch_related("permissions")

    def get_fieldsets(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Show what a role that cannot be changed allows in words."""
        if obj is None:
            return [(None, {"fields": ("name", "permissions")})]
        is_open = self.has_change_permission(request, obj)
        return [(None, {"fields": ("name", "holders", "permissions" if is_open else "allowed")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        """Let only what the role is be changed."""
        return ("holders", "allowed")

    @admin.display(description="active users")
    def holders(self, group: Any) -> SafeString:
        """Show how many users have it, as a link to them."""
        return format_html('<a href="{}">{}</a>', list_of(User, groups__id__exact=group.pk), group.user_count)

    @admin.display(description="allows to")
    def allowed(self, group: Group) -> str:
        """Show what it allows."""
        return ", ".join(sorted(map(permission_text, group.permissions.all()))) or "-"

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest | None = None, **options: Any
    ) -> Any:
        """Offer only one's own permissions, in words."""
        return permission_field(db_field, request, **options)

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
        return group.name not in ROLES and grantable_groups(signed_in(request)).filter(pk=group.pk).exists()
