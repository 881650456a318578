"""Why a change to a taskserv is refused."""

from __future__ import annotations

from apps.system.errors import Conflict, Invalid, NotFound


class UnknownTaskserv(Invalid):
    """The catalogue has no such taskserv."""

    message = "The catalogue has no taskserv {name}{hint}"


class UnknownVersion(Invalid):
    """The catalogue lacks this version of the taskserv."""

    message = "{taskserv} has no version {version}; there are {known}."


class UnknownServer(Invalid):
    """The workspace has no such servers."""

    message = "Workspace {workspace} has no server {hostnames}{hint}"


class BadConfig(Invalid):
    """The configuration breaks the taskserv's schema; the details say where."""

    message = "The configuration of {taskserv} is not valid: {what}"


class ServerNotRunning(Conflict):
    """Nothing can be installed on, or removed from, a server that is not up."""

    message = "{hostname} is {status}; this needs it running and free."


class AlreadyInstalled(Conflict):
    """The server has the taskserv, or is about to."""

    message = "{hostname} has {name} already: {taskserv} ({status})."


class InConflict(Conflict):
    """Two taskservs cannot live on one server."""

    message = "{name} cannot be installed on {hostname} beside {other} ({taskserv})."


class RequirementLeaving(Conflict):
    """What the taskserv requires is being deleted."""

    message = "{name} requires {other}, and {taskserv} is being deleted from {hostname}; try again when it is gone."


class StillRequired(Conflict):
    """Another taskserv on the same server requires this one."""

    message = "{taskserv} is required by {other} ({other_id}) on {hostname}; delete that first."


class OtherTaskserv(Invalid):
    """The body names another taskserv than the path."""

    message = "The body's taskserv_id is {given}, the path's {taskserv}: they must be the same."


class OtherWorkspace(NotFound):
    """The body names another workspace than the taskserv's."""

    message = "There is no taskserv {taskserv} in workspace {workspace}."


class RequirementMissing(Conflict):
    """What the taskserv requires was not installed after all."""

    code = "REQUIREMENT_MISSING"
    message = "{name} requires {other}, which is not running on {hostname}."
