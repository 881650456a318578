"""The base classes of every view set."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from apps.system.api.fields import check_query
from apps.system.api.pagination import PAGING, answer_list


class StrictView(APIView):
    """Refuse query parameters that the view does not read, once the caller is known to be allowed."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Authenticate, check the permission, then the query."""
        super().initial(request, *args, **kwargs)
        if hasattr(self, request.method.lower()):
            check_query(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        """Return the query parameters that are read."""
        return set()


class APIViewSet(StrictView, GenericViewSet):
    """A view set whose actions each name their permission."""

    permissions: dict[str, str] = {}
    orderings: tuple[str, ...] = ("created_at",)
    query_parameters: dict[str, set[str]] = {}
    filter_backends: list[Any] = []

    def known_parameters(self) -> set[str]:
        """Return the query parameters that this action reads."""
        known = set(self.query_parameters.get(self.action, set()))
        if self.action == "list" and hasattr(self, "filterset_class"):
            known |= set(self.filterset_class.base_filters) | set(PAGING)
        return known


class ListViewSet(APIViewSet):
    """A view set with a list: filters, order and pages.

    `few_values` are those of the `orderings` that have few different values in any number of rows, and an index.
    """

    few_values: tuple[str, ...] = ()

    filter_backends = [DjangoFilterBackend]

    def list(self, request: Any) -> HttpResponseBase:
        """Return the rows that pass the filters: all, or one page."""
        return answer_list(self, request, self.get_queryset())


def imported_on_use(view: str, **options: Any) -> Callable[..., HttpResponseBase]:
    """Return a view that is imported at its first request; `view` is the dotted path of its class."""
    loaded = cache(lambda: import_string(view).as_view(**options))

    @csrf_exempt  # as all views of the REST framework
    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return loaded()(request, *args, **kwargs)

    call.__dict__["imports"] = view
    return call
