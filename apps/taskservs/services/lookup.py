"""Finding a taskserv that a request names."""

from __future__ import annotations

from apps.accounts.models import User
from apps.system.errors import NotFound
from apps.taskservs.errors import OtherTaskserv, OtherWorkspace
from apps.taskservs.models import Taskserv


def taskserv_for(user: User | None, id: str, workspace: str | None = None, confirm_id: str | None = None) -> Taskserv:
    """Return a taskserv the user may see, in the workspace if one is given.

    Raises NotFound, OtherWorkspace, and OtherTaskserv when `confirm_id` names another.
    """
    taskserv = Taskserv.objects.visible_to(user).select_related("workspace").filter(pk=id).first()
    if taskserv is None:
        raise NotFound(what="taskserv", id=id)
    if workspace is not None and workspace != taskserv.workspace.name:
        raise OtherWorkspace(taskserv=id, workspace=workspace)
    if confirm_id is not None and confirm_id != id:
        raise OtherTaskserv(given=confirm_id, taskserv=id, field="taskserv_id")
    return taskserv
