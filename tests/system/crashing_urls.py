"""The service's URLs with views among them that crash."""

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.urls import path
from rest_framework import exceptions

from apps.system.api import errors
from apps.system.api.views import APIViewSet
from provisioning.urls import urlpatterns as real

SECRET = "the-text-of-the-exception"
CRASHES = {
    "bug": RuntimeError(SECRET),
    "recursion": RecursionError(SECRET),
    "integrity": IntegrityError(SECRET),
    "away": OperationalError(SECRET),
    "broken": InterfaceError(SECRET),
    "missing": Http404(SECRET),
    "denied": PermissionDenied(SECRET),
    "suspicious": SuspiciousOperation(SECRET),
    "gone": exceptions.APIException(SECRET),
}


class Crashing(APIViewSet):
    authentication_classes = []
    permission_classes = []

    def crash(self, request, name):
        raise CRASHES[name]


def plain(request):
    raise RuntimeError(SECRET)


urlpatterns = [
    path("v1/crash/<name>", Crashing.as_view({"get": "crash", "post": "crash"})),
    path("v1/plain", plain),
    *real,
]
handler400, handler404, handler500 = errors.bad_request, errors.no_route, errors.crash
