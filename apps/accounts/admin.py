"""Users and roles in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from apps.accounts.models import User

admin.site.register(User, UserAdmin)
admin.site.site_header = admin.site.site_title = "Provisioning"
admin.site.index_title = "Control plane"
