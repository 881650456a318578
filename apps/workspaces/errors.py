"""Why a workspace is refused."""

from __future__ import annotations

from apps.system.errors import Conflict, Invalid


class UnknownWorkspace(Invalid):
    """A body names a workspace that does not exist."""

    message = "There is no workspace {name}."


class BadPath(Invalid):
    """The path is relative, not normalized or has odd characters."""

    message = "Give an absolute, normalized path without . or .. parts, such as /opt/workspaces/{name}."


class NameTaken(Conflict):
    """Another workspace has the name."""

    message = "The name {name} is taken by another workspace."


class PathTaken(Conflict):
    """Another workspace has the path."""

    message = "The path {path} belongs to another workspace."


class AnotherActivated(Conflict):
    """The mark was given to another workspace at the same moment."""

    message = "Another workspace was made active at the same moment; try again."
