"""Why a change to a server is refused."""

from __future__ import annotations

from apps.system.errors import Conflict, Invalid, NotFound


class HostnameTaken(Conflict):
    """Another server of the workspace has the hostname."""

    message = "The hostname {hostname} is taken in workspace {workspace}."


class OtherServer(Invalid):
    """The body names another server than the path."""

    message = "The body's server_id is {given}, the path's {server}: they must be the same."


class OtherWorkspace(NotFound):
    """The body names another workspace than the server's."""

    message = "There is no server {server} in workspace {workspace}."


class ServerOccupied(Conflict):
    """Services are installed on the server."""

    message = "{hostname} carries {occupants}; delete them first, or delete the server with force."


class ServerProtected(Conflict):
    """The server is protected from deletion."""

    message = (
        "{hostname} is protected from deletion, also with force; lift the protection first, "
        'with PATCH /v1/servers/{server} and {{"protected": false}}.'
    )


class LeavingAlready(Conflict):
    """The server is being deleted, so nothing can be set on it any more."""

    message = "{hostname} is being deleted; nothing can be set on it any more."


class UnknownImage(Invalid):
    """A body names an image that the account does not offer."""

    message = "{provider} has no image {image}.{hint}"


class ExpiryPassed(Invalid):
    """An expiry lies in the past."""

    message = "{expires_at} has passed; give a time in the future, or delete the server."


class NotAtRest(Conflict):
    """The server's status does not allow to switch it."""

    message = "{hostname} is {status}; only a running or a stopped server can be {verb}."


class NotRunning(Conflict):
    """A stopped server cannot be rebooted."""

    message = "{hostname} is stopped; start it instead of rebooting it."


class LimitReached(Conflict):
    """An account has reached one of the limits that its administrator has set."""
