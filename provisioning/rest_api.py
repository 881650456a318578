"""Settings of the REST framework and of drf-spectacular, which makes the API's OpenAPI schema and its page."""

from typing import Any

from provisioning import __version__

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.accounts.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.system.api.permissions.HasNamedPermission"],
    "DEFAULT_PARSER_CLASSES": ["apps.system.api.parsing.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["apps.system.api.rendering.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.system.api.rendering.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "apps.system.api.lazy_schema.LazySchema",
    "EXCEPTION_HANDLER": "apps.system.api.errors.answer_error",
    "DEFAULT_METADATA_CLASS": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Provisioning API",
    "DESCRIPTION": "Create servers, install services on them and run workflows; every change is an operation.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},  # asks no server on the internet
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "Health": ["healthy", "unhealthy"],
        "OperationStatus": "apps.operations.models.Operation.Status",
        "ServerStatus": "apps.servers.models.Server.Status",
        "StepStatus": "apps.workflows.models.Step.Status",
        "TaskservStatus": "apps.taskservs.models.Taskserv.Status",
        "Level": "apps.operations.models.Event.Level",
    },
    "PREPROCESSING_HOOKS": [
        "apps.system.api.schema.only_documented_paths",
        "apps.accounts.api.token_scheme.describe_tokens",
    ],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.system.api.schema.answers_are_complete",
        "apps.system.api.schema.parameters_are_described",
    ],
}
