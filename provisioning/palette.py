"""What the console's command palette (Ctrl+K) finds besides pages: servers and taskservs."""

from __future__ import annotations

from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from apps.servers.admin.search import search as search_servers
from apps.servers.models import Server
from apps.system.admin import page_of
from apps.taskservs.admin.names import full_name
from apps.taskservs.admin.search import search as search_taskservs
from apps.taskservs.models import Taskserv

MAX_OF_EACH = 10


def found(request: HttpRequest, term: str) -> list[SearchResult]:
    """Return the servers and taskservs that the user may read and that their lists' own search finds."""
    term, results = term.strip(), []
    if request.user.has_perm("servers.server_read"):
        servers = Server.objects.filter(pk__in=search_servers(term)).select_related("workspace").order_by("hostname")
        for server in servers[:MAX_OF_EACH]:
            results.append(SearchResult(server.hostname, f"Server in {server.workspace}", page_of(server), "dns"))
    if request.user.has_perm("taskservs.taskserv_read"):
        taskservs = Taskserv.objects.filter(pk__in=search_taskservs(term)).select_related("workspace")
        for row in taskservs.prefetch_related("servers").order_by("name", "pk")[:MAX_OF_EACH]:
            results.append(SearchResult(full_name(row), f"Taskserv in {row.workspace}", page_of(row), "deployed_code"))
    return results
