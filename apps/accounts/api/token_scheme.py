"""What the OpenAPI schema says of bearer tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from apps.accounts.api.authentication import TokenAuthentication


def describe_tokens(endpoints: list[Any], **options: Any) -> list[Any]:
    """Change nothing: drf-spectacular calls this before it reads the views, and so knows the class below."""
    return endpoints


class TokenScheme(OpenApiAuthenticationExtension):
    """Describe the bearer token to OpenAPI."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
