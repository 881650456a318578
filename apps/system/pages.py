"""The page at `/`: where to go from here."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.system.api.errors import wants_page
from apps.system.api.rendering import json_response

LINKS = {
    "api": ("/v1/", "API", "log in with POST /v1/auth/login"),
    "docs": ("/v1/docs", "API documentation", "every endpoint, to read and to try"),
    "schema": ("/v1/schema", "OpenAPI schema", "for generators and clients"),
    "admin": ("/admin/", "Admin site", "servers, operations and accounts in the browser"),
    "health": ("/health", "Health", "whether the database answers"),
    "ready": ("/health/ready", "Readiness", "whether this process can serve and store changes"),
    "workers": ("/health/workers", "Workers", "whether work is done"),
}


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """Answer a page to browsers and JSON to programs."""
    if wants_page(request):
        links = [link for name, link in LINKS.items() if name != "api"]
        response = render(request, "pages/root.html", {"links": links, "version": settings.VERSION})
    else:
        addresses = {name: address for name, (address, _, _) in LINKS.items()}
        response = json_response({"name": "Provisioning", "version": settings.VERSION, "links": addresses})
    response.headers["Vary"] = "Accept"
    return response
