"""The shapes of login and refresh."""

from rest_framework import serializers

from apps.system.api.fields import Input, StrictString


class Login(Input):
    """User name and password."""

    username = StrictString(max_length=150, help_text="The name of the user.")
    password = StrictString(max_length=1024, help_text="The password of the user.")


class Refresh(Input):
    """A refresh token."""

    refresh_token = StrictString(max_length=4096, help_text="The refresh token that came with the last access token.")


class TokensOut(serializers.Serializer):
    """An access token, the refresh token that follows it, and the access token's life in seconds."""

    token = serializers.CharField(help_text="The access token, for the header `Authorization: Bearer …`.")
    refresh_token = serializers.CharField(
        help_text="Gets the next access token, at `/v1/auth/refresh`; good for one use."
    )
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
