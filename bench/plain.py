"""The peer: what one writes with Django REST framework and simplejwt as their tutorials show it."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework import permissions, renderers, routers, serializers, viewsets
from rest_framework_simplejwt.authentication import JWTAuthentication

from apps.servers.models import Server
from provisioning.urls import urlpatterns as ours


class ServerSerializer(serializers.ModelSerializer):
    """The same eight fields."""

    class Meta:
        model = Server
        fields = ["id", "hostname", "provider", "plan", "zone", "ip_address", "status", "created_at"]


class MayRead(permissions.BasePermission):
    """The same permission, asked the usual way."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Ask Django's backends."""
        return request.user.has_perm("servers.server_read")


class ServerViewSet(viewsets.ModelViewSet):
    """A plain view set."""

    queryset = Server.objects.all()
    serializer_class = ServerSerializer
    authentication_classes = [JWTAuthentication]
    permission_classes = [MayRead]
    renderer_classes = [renderers.JSONRenderer]


router = routers.SimpleRouter(trailing_slash=False)
router.register("servers", ServerViewSet)
urlpatterns = [path("plain/", include(router.urls)), *ours]
