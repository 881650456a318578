"""All URLs of the service."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
]

if settings.EMULATOR:
    urlpatterns.append(path("emulator/", include("apps.providers.emulator.urls")))
