"""Why a provider, plan or zone is refused."""

from __future__ import annotations

from apps.system.errors import Conflict, Invalid, Unavailable


class UnknownProvider(Invalid):
    """A body names a provider that no enabled account of the workspace gives."""

    message = "The workspace {workspace} has no account at a provider {provider}; it has {known}."


class UnknownPlan(Invalid):
    """A body names a plan that the provider does not offer."""

    message = "{provider} has no plan {plan}.{hint}"


class UnknownZone(Invalid):
    """A body names a zone that the provider does not have."""

    message = "{provider} has no zone {zone}.{hint}"


class AccountUnusable(Unavailable):
    """The account has never worked, for a reason that is known."""

    message = "{provider} cannot be used now: {problem}"


class AccountExists(Conflict):
    """Another account of the provider has the name, in the same workspace or shared by all."""

    message = "There is an account {provider}/{name} already."


class BadEndpoint(Invalid):
    """Credentials must not be sent to this address."""

    message = (
        "Give an https:// address, or http:// for this machine itself (127.0.0.1); leave it empty for the provider's "
        "own. For local machines it is their engine's, such as unix:///run/podman/podman.sock."
    )


class CredentialsNeeded(Invalid):
    """The stored credentials are not sent to an address that they were not given for."""

    message = "Give the credentials again: those that are stored were given for another endpoint."


class BadCredentials(Invalid):
    """The credentials are not those that the provider needs."""

    message = "The credentials of {provider} are: {needed}. {fault}"
