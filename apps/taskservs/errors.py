"""Why a change to a taskserv is refused."""

from __future__ import annotations

from apps.system.errors import Conflict, Invalid, NotFound


class UnknownTaskserv(Invalid):
    """The catalog has no such taskserv."""

    message = "The catalog has no taskserv {name}{hint}"


class EntryGone(Conflict):
    """A taskserv is there, and the catalog has lost its entry, whose role would change, verify or remove it."""

    message = "{taskserv} cannot be changed, verified or removed: its entry {name} has left the catalog; put it back."


class UnknownVersion(Invalid):
    """The catalog lacks this version of the taskserv."""

    message = "{taskserv} has no version {version}; there are {known}."


class UnknownServer(Invalid):
    """The workspace has no such servers."""

    message = "Workspace {workspace} has no server {hostnames}{hint}"


class BadConfig(Invalid):
    """The configuration breaks the taskserv's schema; the details say where."""

    message = "The configuration of {taskserv} is not valid: {what}"


class ForeignPath(Conflict):
    """A stored configuration names a directory that is not the taskserv's own, and the role would change it."""

    code = "FOREIGN_PATH"
    message = "{taskserv} would change {paths}; an operator can allow it by TASKSERV_DIRECTORIES."


class ServerNotRunning(Conflict):
    """Nothing can be installed on, or removed from, a server that is not up."""

    message = "{hostname} is {status}; this needs it running and free."


class AlreadyInstalled(Conflict):
    """The server has the taskserv, or is about to."""

    message = "{hostname} has {name} already: {taskserv} ({status})."


class PortTaken(Conflict):
    """Another taskserv of the server uses the port."""

    code = "PORT_TAKEN"
    message = "{name} cannot use {where}: {other} ({taskserv}) uses it; choose another."


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


class BadDefinition(Invalid):
    """A workspace's own entry of the catalog has faults; the message says where and what to do."""

    message = "The workspace's taskserv {name} cannot be used: {what}"


class RequirementCycle(Invalid):
    """Taskservs require each other in a circle."""

    message = "These taskservs require each other: {names}; take one of the requirements out."


class WrongNumberOfServers(Invalid):
    """The taskserv cannot be on so many servers."""

    message = "{name} takes {allowed}, not {given}."


class MixedServers(Invalid):
    """Emulated and real machines cannot carry one taskserv together."""

    message = "Emulated ({emulated}) and real ({real}) servers cannot have one taskserv together: name either."


class OlderVersion(Conflict):
    """An upgrade to a lower version may lose data, so that it has to be forced."""

    code = "OLDER_VERSION"
    message = "{taskserv} has {name} {current}; {version} is lower. Send force to install it all the same."


class SameVersion(Conflict):
    """There is nothing to upgrade."""

    message = "{taskserv} has {name} {version} already."


class NothingToChange(Invalid):
    """A change that names neither an option nor servers."""

    message = "Give config, servers or both: what shall change."


class NotRunning(Conflict):
    """The taskserv is not in a state to be changed or verified."""

    message = "{taskserv} is {status}; {advice}"


class LastServer(Conflict):
    """A taskserv cannot leave all its servers."""

    message = "{taskserv} would be left without the server that it is on; delete it instead."


class PrimaryLeaving(Conflict):
    """The primary cannot leave while the taskserv knows no way to promote another."""

    message = "{hostname} is the {role} of {taskserv}, and {name} cannot move that role to another server."


class UnknownCheck(Invalid):
    """What is to be done as checked names no check of the user."""

    message = "There is no such check of yours; check again."


class CheckNotCompleted(Conflict):
    """What is to be done as checked was not found good."""

    message = "The check is {status}; only what a completed check has shown can be done."


class CheckOutdated(Conflict):
    """What would be done is no longer what the check has shown."""

    message = "What would be done has changed since the check; check again."
