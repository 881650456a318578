"""This project's engine: one worker node with two processes."""

from __future__ import annotations

from functools import cache
from typing import Any

TITLE = "ours"
COUNT = 1500
COMMANDS = [["python", "manage.py", "worker"]]


def submit(number: int) -> Any:
    """Submit as the services do: the row is the queue."""
    from apps.operations.services import submit

    workspace, actor = place()
    return submit(kind="bench.instant", workspace=workspace, actor=actor, params={"number": number}).pk


@cache
def place() -> tuple[Any, Any]:
    """Return a workspace and a user."""
    from apps.accounts.models import User
    from apps.workspaces.models import Workspace

    user = User.objects.get_or_create(username="bench")[0]
    return Workspace.objects.get_or_create(name="bench", path="/opt/bench")[0], user
