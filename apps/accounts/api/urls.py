"""The paths of login and refresh."""

from django.urls import path

from apps.accounts.api.views import AuthViewSet

urlpatterns = [
    path("auth/login", AuthViewSet.as_view({"post": "login"})),
    path("auth/refresh", AuthViewSet.as_view({"post": "refresh"})),
]
