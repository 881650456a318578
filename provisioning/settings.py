"""Every setting, read from the environment; `README.md` lists the ones a deployment gives."""

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import environ

from provisioning import __version__

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var")))
VERSION = __version__

# "development" is what `make run` and the suite use; everything else is production, and the system checks hold it so.
ENVIRONMENT = env.str("ENVIRONMENT", "production")
DEVELOPMENT = ENVIRONMENT == "development"
DEFAULT_SECRET_KEY = "development-only-secret-key-that-no-deployment-may-use"  # noqa: S105

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", DEFAULT_SECRET_KEY)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEVELOPMENT else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PORT = env.int("PORT", 8083)
NODES = env.int("NODES", 1)

# Where each process of this node keeps the times it measures, for GET /metrics to add up.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(VAR_DIR / "metrics"))
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)

INSTALLED_APPS = [
    "apps.workflows",
    "apps.taskservs",
    "apps.servers",
    "apps.providers",
    "apps.operations",
    "apps.workspaces",
    "apps.accounts",
    "apps.system",
    "provisioning.apps.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "django_prometheus",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "axes",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "provisioning.urls"
WSGI_APPLICATION = "provisioning.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# ── database ──────────────────────────────────────────────────────────────────────────────────────────────────────────
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR}/provisioning.sqlite3")}
DATABASES["default"] |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA journal_size_limit=27103364;",
    }
    # A file, for a database in memory has one connection only, and some tests are about two.
    test_name = str(Path(tempfile.gettempdir()) / f"provisioning-test-{os.getpid()}.sqlite3")
    DATABASES["default"]["TEST"] = {"NAME": test_name}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/admin/login/"

TOKEN_LIFETIME = timedelta(hours=24)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": TOKEN_LIFETIME, "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME}

# Failed logins are counted for each pair of user name and address; AXES_* are django-axes' own settings.
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", 5)
AXES_COOLOFF_TIME = timedelta(seconds=env.int("LOGIN_COOLOFF_SECONDS", 300))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_CALLABLE = "apps.accounts.lockout.answer_lockout"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_IPWARE_PROXY_COUNT = env.int("TRUSTED_PROXIES", 0) or None

# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.accounts.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.system.api.permissions.HasNamedPermission"],
    "DEFAULT_PARSER_CLASSES": ["apps.system.api.parsing.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["apps.system.api.rendering.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.system.api.rendering.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "apps.system.api.schema.Schema",
    "EXCEPTION_HANDLER": "apps.system.api.errors.answer_error",
    "DEFAULT_METADATA_CLASS": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
MAX_BODY_BYTES = 1024 * 1024

SPECTACULAR_SETTINGS = {
    "TITLE": "Provisioning API",
    "DESCRIPTION": "Create servers, install services on them and run workflows; every change is an operation.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},  # asks no server on the internet
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/v1",
    "ENUM_NAME_OVERRIDES": {
        "Health": ["healthy", "unhealthy"],
        "OperationStatus": "apps.operations.models.Operation.Status",
        "ServerStatus": "apps.servers.models.Server.Status",
        "StepStatus": "apps.workflows.models.Step.Status",
        "TaskservStatus": "apps.taskservs.models.Taskserv.Status",
        "Level": "apps.operations.models.Event.Level",
    },
    "PREPROCESSING_HOOKS": ["apps.system.api.schema.only_documented_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.system.api.schema.answers_are_complete",
    ],
}

# ── the engine ────────────────────────────────────────────────────────────────────────────────────────────────────────
OPERATIONS = {
    "lease_seconds": env.int("LEASE_SECONDS", 12),
    "cancel_wait_seconds": 5,
    "max_crashes": 3,
    "keep_days": env.int("KEEP_DAYS", 90),
    "retry_base_seconds": 1.0,
    "retry_cap_seconds": 60.0,
}
# Why each of these differs from django-q2's default is in docs/decisions/0003-django-q2-settings.md.
Q_CLUSTER = {
    "name": "provisioning",
    "orm": "default",
    "broker_class": "apps.operations.cluster.broker.OperationsBroker",
    "workers": env.int("WORKERS", 2),
    "queue_limit": 2,
    "bulk": 2,
    "poll": 0,
    "timeout": 600,
    "retry": 3600,
    "ack_failures": True,
    "max_attempts": 3,
    "save_limit": -1,
    "recycle": 5000,
    "max_rss": 400_000,
    "guard_cycle": 0.5,
    "catch_up": False,
    "scheduler": False,
    "log_level": "WARNING",
    "label": "Background tasks",
}

# ── providers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
# Secrets that seal the providers' credentials: the first seals, all open. Without any, SECRET_KEY does.
CREDENTIALS_KEYS = env.list("CREDENTIALS_KEYS", default=[])
# Put on the machines we create, so that two installations on one cloud account never touch each other's.
INSTALLATION = env.str("INSTALLATION", "provisioning")
# A second create is only sent when this long has passed since an answer was lost and the machine was still not found.
DOUBT_SECONDS = env.int("DOUBT_SECONDS", 30)
# The image that machines on this host's container engine are made from: its label or reference.
LOCAL_IMAGE = env.str("LOCAL_IMAGE", "debian-12")
# The addresses that those machines get, in a network of their own.
LOCAL_SUBNET = env.str("LOCAL_SUBNET", "10.87.0.0/16")
# For so long a machine may look as before after it was told to start, stop or reboot.
SETTLE_SECONDS = env.int("SETTLE_SECONDS", 20)
EMULATOR = env.bool("EMULATOR", DEVELOPMENT)
EMULATOR_STATE = Path(env.str("EMULATOR_STATE", str(VAR_DIR / "emulator.sqlite3")))
# What stands behind its machines: `containers`, `none`, or `auto`: containers where this machine has an engine.
EMULATOR_MACHINES = env.str("EMULATOR_MACHINES", "auto")
EMULATOR_BOOT_SECONDS = env.float("EMULATOR_BOOT_SECONDS", 2.0)

# ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "provisioning.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = None if DEVELOPMENT else VAR_DIR / "static"  # development serves the files where the apps keep them
WHITENOISE_USE_FINDERS = DEVELOPMENT
WHITENOISE_AUTOREFRESH = False

SECURE_CONTENT_TYPE_NOSNIFF = True
if not DEVELOPMENT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.int("TRUSTED_PROXIES", 0) else None
    SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^health"]
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "WARNING")},
    "loggers": {
        "apps": {"level": env.str("LOG_LEVEL", "INFO")},
        "django.request": {"level": env.str("LOG_LEVEL", "ERROR")},  # a 404 is an answer like any other
        "botocore": {"level": "INFO"},  # at DEBUG it prints whole requests, key ids and session tokens among them
    },
}
