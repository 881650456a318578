"""Taskservs over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from apps.operations.api.serializers import OperationOut, answer
from apps.operations.models import Operation
from apps.system.api.errors import ErrorOut
from apps.system.api.fields import Input, check_id, valid
from apps.system.api.filters import CaseInsensitiveFilter, ChoiceFilter, ListFilters, RelatedNameFilter
from apps.system.api.idempotency import idempotent
from apps.system.api.views import ListViewSet
from apps.system.errors import Invalid
from apps.taskservs.api.catalog_shapes import CatalogOut
from apps.taskservs.api.serializers import (
    CredentialsOut,
    TaskservChange,
    TaskservConfigure,
    TaskservCreate,
    TaskservDelete,
    TaskservDetail,
    TaskservOut,
    TaskservUpgrade,
    TaskservVerify,
)
from apps.taskservs.catalog_loader import load_catalog
from apps.taskservs.models import TASKSERV_ID, Installation, Taskserv
from apps.taskservs.services import credentials, detail, health
from apps.taskservs.services.configure import configure_taskserv
from apps.taskservs.services.create import create_taskserv
from apps.taskservs.services.delete import delete_taskserv
from apps.taskservs.services.upgrade import upgrade_taskserv
from apps.workspaces.services import workspace_named

FLAG = {"type": "boolean", "default": False}
PURGE = OpenApiParameter("purge", FLAG, description="Remove its data too; they stay on the servers otherwise.")
CHECK_MODE = OpenApiParameter("check_mode", FLAG, description="Only list what would be done.")


class TaskservFilters(ListFilters):
    """The filters of the list of taskservs."""

    status = ChoiceFilter(choices=Taskserv.Status.choices)
    workspace = RelatedNameFilter(field_name="workspace__name")
    hostname = CaseInsensitiveFilter(field_name="servers__hostname")
    name = django_filters.CharFilter()
    health = ChoiceFilter(choices=Installation.Health.choices, method="filter_health")

    def filter_health(self, queryset: Any, name: str, value: str) -> Any:
        """Pick those of one health."""
        return health.of_health(queryset, value)


class TaskservViewSet(ListViewSet):
    """List, install and remove taskservs, and show what there is to install."""

    queryset, serializer_class, filterset_class = Taskserv.objects.all(), TaskservOut, TaskservFilters
    orderings, few_values = ("created_at", "name", "status"), ("name", "status")
    query_parameters = {"catalog": {"workspace"}, "destroy": {"purge", "check_mode"}}
    permissions = {
        "list": "taskserv_read",
        "catalog": "taskserv_read",
        "create": "taskserv_create",
        "retrieve": "taskserv_read",
        "partial_update": "taskserv_create",
        "credentials": "taskserv_create",
        "configure": "taskserv_create",
        "upgrade": "taskserv_create",
        "verify": "taskserv_create",
        "destroy": "taskserv_delete",
    }

    def get_queryset(self) -> Any:
        """Select what the caller may see."""
        return Taskserv.objects.visible_to(self.request.user).with_hostnames()

    @extend_schema(
        responses=CatalogOut(many=True),
        operation_id="taskservs_catalog",
        filters=False,
        parameters=[OpenApiParameter("workspace", str, description="Add the catalog of this workspace.")],
    )
    def catalog(self, request: Any) -> Response:
        """List what can be installed, with the schema of each one's configuration."""
        name = request.query_params.get("workspace")
        path = workspace_named(name).path if name else ""
        return Response(CatalogOut(load_catalog(path).values(), many=True).data)

    @extend_schema(request=TaskservCreate, responses=OperationOut)
    @idempotent
    def create(self, request: Any) -> Response:
        """Install a taskserv; the answer is the operation that does it."""
        return answer(create_taskserv(actor=request.user, **valid(TaskservCreate, request)))

    @extend_schema(responses=TaskservDetail)
    def retrieve(self, request: Any, id: str) -> Response:
        """Show everything that is known of a taskserv: its servers, their state and health, and where to connect."""
        return Response(dict(TaskservDetail(detail.taskserv_in_full(self.get_queryset(), taskserv_key(id))).data))

    @extend_schema(request=TaskservChange, responses=TaskservDetail)
    @idempotent
    def partial_update(self, request: Any, id: str) -> Response:
        """Switch the regular verification of a taskserv on or off; the answer shows the taskserv."""
        given = valid(TaskservChange, request)
        if given:
            health.set_health_checks(taskserv_id=taskserv_key(id), enabled=given["health_checks"], actor=request.user)
        return self.retrieve(request, id)

    @extend_schema(responses={200: CredentialsOut, 409: ErrorOut})
    def credentials(self, request: Any, id: str) -> Response:
        """Show a taskserv's secret options; each look is recorded."""
        taskserv, values = credentials.read_credentials(taskserv_id=taskserv_key(id), actor=request.user)
        shown = {"taskserv_id": taskserv.id, "name": taskserv.name, "credentials": values}
        return Response(dict(CredentialsOut(shown).data), headers={"Cache-Control": "no-store"})

    @extend_schema(request=TaskservConfigure, responses=OperationOut)
    @idempotent
    def configure(self, request: Any, id: str) -> Response:
        """Change a taskserv's options or servers; the answer is the operation that does it."""
        return self.submit(configure_taskserv, TaskservConfigure, request, id)

    @extend_schema(request=TaskservUpgrade, responses=OperationOut)
    @idempotent
    def upgrade(self, request: Any, id: str) -> Response:
        """Install another version, one server after the other; the answer is the operation that does it."""
        return self.submit(upgrade_taskserv, TaskservUpgrade, request, id)

    @extend_schema(request=TaskservVerify, responses=OperationOut)
    @idempotent
    def verify(self, request: Any, id: str) -> Response:
        """Use a taskserv on all its servers and compare its configuration; the answer is the operation that does it."""
        return self.submit(health.verify_taskserv, TaskservVerify, request, id)

    @extend_schema(request=TaskservDelete, responses=OperationOut, parameters=[PURGE, CHECK_MODE])
    @idempotent
    def destroy(self, request: Any, id: str) -> Response:
        """Remove a taskserv from all its servers; the answer is the operation that does it."""
        given = valid(TaskservDelete, request)
        given |= {name: flag(request, name) for name in ("purge", "check_mode")}
        key, confirm_id = taskserv_key(id), given.pop("taskserv_id", None)
        return answer(delete_taskserv(taskserv_id=key, actor=request.user, confirm_id=confirm_id, **given))

    def submit(self, service: Callable[..., Operation], shape: type[Input], request: Any, id: str) -> Response:
        """Submit an operation on the taskserv of the path: a malformed body is reported before an unknown taskserv."""
        valid(shape, request, partial=True)
        key = taskserv_key(id)
        return answer(service(taskserv_id=key, actor=request.user, **valid(shape, request)))


def flag(request: Any, name: str) -> bool:
    """Return a query parameter that is true or false; false without it. Raises Invalid."""
    value = request.query_params.get(name, "false")
    if value not in ("true", "false"):
        raise Invalid("Give {name}=true or {name}=false.", name=name, field=name)
    return bool(value == "true")


def taskserv_key(id: str) -> str:
    """Return a well-formed id. Raises NotFound."""
    return check_id("taskserv", id, TASKSERV_ID)
