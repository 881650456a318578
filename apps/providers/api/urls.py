"""The paths of providers."""

from django.urls import path

from apps.providers.api.views import ProviderViewSet

urlpatterns = [
    path("providers", ProviderViewSet.as_view({"get": "overview"})),
    path("providers/<str:name>/plans", ProviderViewSet.as_view({"get": "plans"})),
    path("providers/<str:name>/zones", ProviderViewSet.as_view({"get": "zones"})),
    path("providers/<str:name>/images", ProviderViewSet.as_view({"get": "images"})),
]
