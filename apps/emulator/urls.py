"""The emulated cloud's URLs; what answers them is imported at the first request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt


def view(name: str) -> Callable[..., HttpResponse]:
    """Return the view of this dotted name below `apps.emulator`."""

    @csrf_exempt  # as all views of the emulator
    def call(request: HttpRequest, **named: Any) -> HttpResponse:
        return import_string(f"apps.emulator.{name}")(request, **named)

    return call


urlpatterns = [
    path("", view("control.index")),
    path("control/faults", view("control.faults")),
    path("control/settings", view("control.settings")),
    path("control/ledger", view("control.ledger")),
    path("control/reset", view("control.reset")),
    path("control/servers/<str:uuid>/vanish", view("control.vanish")),
    re_path(r"^(?P<version>\d+(?:\.\d+)*)(?:/(?P<rest>.*))?$", view("views.api")),
]
