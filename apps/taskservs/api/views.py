"""Taskservs over HTTP."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.system.api.fields import check_id, valid
from apps.system.api.lists import ListFilters
from apps.system.api.views import APIViewSet, ListMixin
from apps.taskservs import services
from apps.taskservs.api.serializers import CatalogOut, TaskservCreate, TaskservDelete, TaskservOut
from apps.taskservs.catalogue import catalogue
from apps.taskservs.models import TASKSERV_ID, Taskserv


class TaskservFilters(ListFilters):
    """How taskservs can be picked."""

    status = django_filters.ChoiceFilter(choices=Taskserv.Status.choices)
    workspace = django_filters.CharFilter(field_name="workspace__name")
    hostname = django_filters.CharFilter(field_name="servers__hostname")
    name = django_filters.CharFilter()


class TaskservViewSet(ListMixin, APIViewSet):
    """List, install and remove taskservs, and show what there is to install."""

    queryset, serializer_class, filterset_class = Taskserv.objects.all(), TaskservOut, TaskservFilters
    orderings = ("created_at", "name", "status")
    permissions = {
        "list": "taskserv_read",
        "catalog": "taskserv_read",
        "create": "taskserv_create",
        "destroy": "taskserv_delete",
    }

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return Taskserv.objects.visible_to(self.request.user).with_hostnames()

    @extend_schema(responses=CatalogOut(many=True), operation_id="taskservs_catalog", filters=False)
    def catalog(self, request: Any) -> Response:
        """List what can be installed, with the schema of each one's configuration."""
        return Response(CatalogOut(catalogue().values(), many=True).data)

    @extend_schema(request=TaskservCreate, responses=OperationOut)
    def create(self, request: Any) -> Response:
        """Install a taskserv; the answer is the operation that does it."""
        return answer(services.create_taskserv(actor=request.user, **valid(TaskservCreate, request)))

    @extend_schema(request=TaskservDelete, responses=OperationOut)
    def destroy(self, request: Any, id: str) -> Response:
        """Remove a taskserv from all its servers; the answer is the operation that does it."""
        given = valid(TaskservDelete, request)
        key, confirm_id = check_id("taskserv", id, TASKSERV_ID), given.pop("taskserv_id", None)
        return answer(services.delete_taskserv(taskserv_id=key, actor=request.user, confirm_id=confirm_id, **given))
