"""All URLs of the service."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from apps.operations.api.health import PrometheusViewSet, ReadyViewSet
from apps.system.api import errors
from apps.system.api.views import DocsView, HealthView, SchemaView

urlpatterns = [
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("health", HealthView.as_view({"get": "retrieve"})),
    path("health/ready", ReadyViewSet.as_view({"get": "retrieve"})),
    path("metrics", PrometheusViewSet.as_view({"get": "retrieve"})),
    path("v1/schema", SchemaView.as_view(), name="schema"),
    path("v1/docs", DocsView.as_view(url_name="schema"), name="docs"),
    path("v1/", include("apps.accounts.api.urls")),
    path("v1/", include("apps.workspaces.api.urls")),
    path("v1/", include("apps.operations.api.urls")),
    path("v1/", include("apps.providers.api.urls")),
    path("v1/", include("apps.servers.api.urls")),
    path("v1/", include("apps.taskservs.api.urls")),
    path("v1/", include("apps.workflows.api.urls")),
]

if settings.EMULATOR:
    urlpatterns.append(path("emulator/", include("apps.providers.emulator.urls")))

urlpatterns.append(re_path(r"^(?:v1|health)(?:/(?s:.*))?\Z", errors.no_route))

handler400 = errors.bad_request
handler404 = errors.no_route
handler500 = errors.crash
