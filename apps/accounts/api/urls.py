"""The paths of login, refresh and logout."""

from django.urls import path

from apps.accounts.api.views import AuthViewSet, LogoutViewSet

urlpatterns = [
    path("auth/login", AuthViewSet.as_view({"post": "login"})),
    path("auth/refresh", AuthViewSet.as_view({"post": "refresh"})),
    path("auth/logout", LogoutViewSet.as_view({"post": "log_out"})),
]
