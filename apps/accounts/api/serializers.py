"""The shapes of login and refresh."""

from rest_framework import serializers

from apps.system.api.fields import Input, Text


class Login(Input):
    """User name and password."""

    username = Text(max_length=150)
    password = Text(max_length=1024)


class Refresh(Input):
    """A refresh token."""

    refresh_token = Text(max_length=4096)


class TokensOut(serializers.Serializer):
    """An access token, the refresh token that follows it, and the access token's life in seconds."""

    token = serializers.CharField()
    refresh_token = serializers.CharField()
    expires_in = serializers.IntegerField()
