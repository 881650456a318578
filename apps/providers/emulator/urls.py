"""The emulated cloud's URLs."""

from django.urls import path, re_path

from . import control, views

urlpatterns = [
    path("", control.index),
    path("control/faults", control.faults),
    path("control/settings", control.settings),
    path("control/ledger", control.ledger),
    path("control/reset", control.reset),
    path("control/servers/<str:uuid>/vanish", control.vanish),
    re_path(r"^(?P<version>\d+(?:\.\d+)*)(?:/(?P<rest>.*))?$", views.api),
]
