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
    """An expiry is in the past."""

    message = "{expires_at} has passed; give a time in the future, or delete the server."


class NotAtRest(Conflict):
    """The server's status does not allow to switch it."""

    message = "{hostname} is {status}; only a running or a stopped server can be {verb}."


class NotRunning(Conflict):
    """A stopped server cannot be rebooted."""

    message = "{hostname} is stopped; start it instead of rebooting it."


class LimitReached(Conflict):
    """An account has reached one of the limits that its administrator has set."""


class NotDrifted(Conflict):
    """The server is as it was left, so there is nothing to accept."""

    message = "{hostname} is {status}, as it was left; there is nothing to adopt."


class NotGone(Conflict):
    """The server's machine is not known to be gone."""

    message = "{hostname} is {status}; only a server whose machine is gone, or was never made, can be recreated."


class MarkTaken(Conflict):
    """An orphan's machine carries a mark that cannot become a server's id."""

    message = "The machine {ref} carries the mark {mark}, which belongs to {owner}: it cannot be adopted, only deleted."


class OwnedByNow(Conflict):
    """An orphan's machine has become a server's."""

    message = "The machine {ref} belongs to the server {hostname} ({server}) now."


class AccountElsewhere(Invalid):
    """An orphan's account is another workspace's."""

    message = "The account {account} belongs to another workspace than {workspace}."


class HostnameNeeded(Invalid):
    """An orphan's machine has no name that a server can have."""

    message = "The machine's own name {hostname} cannot be a server's: {reason}. Give one."
