"""Why a login, a refresh or a new user is refused."""

from __future__ import annotations

from apps.system.errors import Invalid, Unauthorized


class InvalidCredentials(Unauthorized):
    """User name or password is wrong, or the user is not active; the answer does not say which."""

    code = "INVALID_CREDENTIALS"
    message = "The user name or the password is wrong."


class InvalidRefreshToken(Unauthorized):
    """The refresh token is garbled, expired, used before, or its user or family is gone."""

    code = "INVALID_REFRESH_TOKEN"
    message = "The refresh token is not valid; log in again."


class WeakPassword(Invalid):
    """A password does not pass the validators."""

    message = "The password of {username} is too weak: {why}"


class UnknownRole(Invalid):
    """A user is to have a role that does not exist."""

    message = "{username} cannot have the role {role}; roles are {known}."


class NamedTwice(Invalid):
    """A user is named twice, perhaps with two roles."""

    message = "{username} is named more than once."


class BadUsername(Invalid):
    """A user name holds characters that user names cannot have."""

    message = "{username!r} cannot be a user name: use at most 150 letters, digits and @ . + - _"
