"""All URLs of the service."""

from django.conf import settings
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from apps.operations.api.health import WorkersViewSet
from apps.operations.api.metrics import PrometheusViewSet
from apps.operations.api.streams import AdminEventViewSet
from apps.system.api import errors
from apps.system.api.health import HealthView, ReadyViewSet
from apps.system.api.views import imported_on_use
from apps.system.pages import root

urlpatterns = [
    path("", root),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}system/favicon.svg", permanent=False)),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/events", AdminEventViewSet.as_view({"get": "stream"})),
    path("admin/events/<str:id>", AdminEventViewSet.as_view({"get": "operation"})),
    path("admin/", ("provisioning.admin_urls", "admin", "admin")),  # a module's name: imported on use
    path("health", HealthView.as_view({"get": "retrieve"})),
    path("health/ready", ReadyViewSet.as_view({"get": "retrieve"})),
    path("health/workers", WorkersViewSet.as_view({"get": "retrieve"})),
    path("metrics", PrometheusViewSet.as_view({"get": "retrieve"})),
    path("v1/schema", imported_on_use("apps.system.api.schema_views.SchemaView"), name="schema"),
    path("v1/docs", imported_on_use("apps.system.api.schema_views.DocsView", url_name="schema"), name="docs"),
    path("v1/", include("apps.accounts.api.urls")),
    path("v1/", include("apps.workspaces.api.urls")),
    path("v1/", include("apps.operations.api.urls")),
    path("v1/", include("apps.providers.api.urls")),
    path("v1/", include("apps.servers.api.urls")),
    path("v1/", include("apps.taskservs.api.urls")),
    path("v1/", include("apps.workflows.api.urls")),
]

if settings.EMULATOR:
    urlpatterns.append(path("emulator/", include("apps.emulator.urls")))

urlpatterns.append(re_path(r"^(?:v1|health)(?:/(?s:.*))?\Z", errors.no_route))

handler400 = errors.bad_request
handler404 = errors.no_route
handler500 = errors.crash
