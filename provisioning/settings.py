"""Every setting, read from the environment; `docs/configuration.md` lists the ones a deployment gives.

Bad values, and outside development unsafe ones, end whatever loads the settings with one sentence for each.
"""

import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from csp import constants as csp

from apps.system import deployment
from provisioning import __version__, memory, private_files, unused_imports
from provisioning.console import UNFOLD  # noqa: F401 - read by the theme
from provisioning.environment import Environment
from provisioning.logs import logging_for
from provisioning.postgresql import POSTGRESQL_OPTIONS
from provisioning.rest_api import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 - read by the frameworks

unused_imports.hide()

env = Environment(os.environ)
BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env.path("VAR_DIR", BASE_DIR / "var")
VERSION = __version__

# "development" is what `make run` and the suite use.
ENVIRONMENT = env.choice("ENVIRONMENT", "production", ["production", "development"])
DEVELOPMENT = ENVIRONMENT == "development"
DEFAULT_SECRET_KEY = deployment.DEVELOPMENT_KEY

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY", DEFAULT_SECRET_KEY)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["*"] if DEVELOPMENT else [])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
# How many proxies stand in front: so many entries of X-Forwarded-For, from its right end, are believed.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, minimum=0, maximum=10)
PORT = env.integer("PORT", 8083, minimum=1, maximum=65535)
NODES = env.integer("NODES", 1, minimum=1, maximum=1000)

# With these variables prometheus_client would keep its numbers in memory-mapped files, which end a process when the
# disk is full; apps.system.measurements adds up the processes of a node without them, in this file.
for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
    os.environ.pop(name, None)
MEASUREMENTS = VAR_DIR / "measurements.json"

INSTALLED_APPS = [
    "apps.workflows",
    "apps.taskservs",
    "apps.servers",
    "apps.emulator",
    "apps.providers",
    "apps.operations",
    "apps.workspaces",
    "apps.accounts",
    "apps.system",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
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
    "csp",
]

MIDDLEWARE = [
    "apps.system.middleware.MeasuredRequests",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.system.middleware.KnownHost",
    "apps.system.middleware.KnownOrigin",
    "apps.system.middleware.PrivateAnswers",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "apps.system.middleware.ConsolePolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.accounts.middleware.RateLimitPages",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
if DEVELOPMENT:
    MIDDLEWARE.insert(0, "apps.system.request_log.RequestLog")

ROOT_URLCONF = "provisioning.urls"
ASGI_APPLICATION = "provisioning.asgi.application"
# Of each process of the web server: the threads that answer requests, and the event streams that one user may open.
WEB_THREADS = env.integer("WEB_THREADS", 16, minimum=2, maximum=256)
STREAMS_PER_USER = env.integer("STREAMS_PER_USER", 200, minimum=1, maximum=4096)
# A request's body must be complete within so many seconds.
BODY_SECONDS = env.number("BODY_SECONDS", 10, minimum=0.1, maximum=600)
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
DATABASES = {"default": env.database("DATABASE_URL", VAR_DIR / "provisioning.sqlite3")}
DATABASES["default"] |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA journal_size_limit=27103364;",
    }
    # A file, for a database in memory has one connection only, and some tests are about two.
    test_name = str(Path(tempfile.gettempdir()) / f"provisioning-test-{os.getpid()}.sqlite3")
    DATABASES["default"]["TEST"] = {"NAME": test_name}
else:
    DATABASES["default"]["OPTIONS"] = POSTGRESQL_OPTIONS | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["apps.accounts.hashing.LimitedPBKDF2PasswordHasher"]
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
LOGIN_REDIRECT_URL = "/admin/"

TOKEN_LIFETIME = timedelta(hours=24)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
# For so long after its first use a refresh token gets the same successor: two tabs, or a client that asks again.
REFRESH_GRACE_SECONDS = 10
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "LEEWAY": 30,  # seconds by which the clock of the node that signed may be ahead
}

# Failed logins are counted for each pair of user name and address, and for each address, where an IPv6 /64 counts as
# one; AXES_* are django-axes' own.
LOGIN_ADDRESS_FAILURE_LIMIT = env.integer("LOGIN_ADDRESS_FAILURE_LIMIT", 30, minimum=1, maximum=100_000)
AXES_FAILURE_LIMIT = env.integer("LOGIN_FAILURE_LIMIT", 5, minimum=1, maximum=1000)
AXES_COOLOFF_TIME = timedelta(seconds=env.integer("LOGIN_COOLOFF_SECONDS", 300, minimum=1, maximum=604_800))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_CALLABLE = "apps.accounts.lockout.answer_lockout"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_HANDLER = "apps.accounts.limiter.LoginLimiter"
AXES_CLIENT_IP_CALLABLE = "apps.system.client_address.client_network"
AXES_CLIENT_STR_CALLABLE = "apps.accounts.limiter.describe_client"

# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────
MAX_BODY_BYTES = 1024 * 1024

# ── the engine ────────────────────────────────────────────────────────────────────────────────────────────────────────
OPERATIONS = {
    "lease_seconds": env.integer("LEASE_SECONDS", 12, minimum=2, maximum=3600),
    "cancel_wait_seconds": 5,
    "max_crashes": 3,
    "keep_days": env.integer("KEEP_DAYS", 90, minimum=1, maximum=36_500),
    "retry_base_seconds": 1.0,
    "retry_cap_seconds": 60.0,
}
# Why each of these differs from django-q2's default is in docs/decisions/0003-django-q2-settings.md.
Q_CLUSTER = {
    "name": "provisioning",
    "orm": "default",
    "broker_class": "apps.operations.queue.broker.OperationsBroker",
    "workers": env.integer("WORKERS", 2, minimum=1, maximum=256),
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
CREDENTIALS_KEYS = env.secrets("CREDENTIALS_KEYS")
# Put on the machines we create, so that two installations on one cloud account never touch each other's.
INSTALLATION = env.label("INSTALLATION", "provisioning")
# For how long a machine whose order got no answer is looked up before it is ordered again.
ORDER_LOOKUP_SECONDS = env.integer("ORDER_LOOKUP_SECONDS", 30, minimum=0, maximum=3600)
# The image that machines on this host's container engine are made from: its label or reference.
LOCAL_IMAGE = env.text("LOCAL_IMAGE", "debian-12")
# The engine's network that those machines are in, and its addresses where we make it.
LOCAL_NETWORK = env.label("LOCAL_NETWORK", "provisioning")
LOCAL_SUBNET = env.network("LOCAL_SUBNET", "10.87.0.0/16")
# For how long a cloud may show a machine's old state after a start, stop or reboot.
POWER_STATE_LAG_SECONDS = env.integer("POWER_STATE_LAG_SECONDS", 20, minimum=0, maximum=3600)
EMULATOR = env.flag("EMULATOR", DEVELOPMENT)
EMULATOR_STATE = env.path("EMULATOR_STATE", VAR_DIR / "emulator.sqlite3")
# What stands behind its machines: `containers`, `none`, or `auto`: containers where this machine has an engine.
EMULATOR_MACHINES = env.choice("EMULATOR_MACHINES", "auto", ["auto", "containers", "none"])
EMULATOR_BOOT_SECONDS = env.number("EMULATOR_BOOT_SECONDS", 2.0, minimum=0, maximum=3600)

# ── taskservs ─────────────────────────────────────────────────────────────────────────────────────────────────────────
# Directories of the servers below which an option of a taskserv may name one, besides the taskserv's own.
TASKSERV_DIRECTORIES = env.directories("TASKSERV_DIRECTORIES")
# The operator's own catalogs, the first before the others; workspaces below the roots have theirs in `taskservs/`.
TASKSERV_PATHS = env.directories("TASKSERV_PATHS")
TASKSERV_WORKSPACE_ROOTS = env.directories("TASKSERV_WORKSPACE_ROOTS")
# Where servers get packages from, for machines without internet: a proxy, mirrors and the keys that sign them.
TASKSERV_PACKAGE_SOURCES = env.package_sources("TASKSERV_PACKAGE_SOURCES")
# Whether roles of those catalogs may run something on the controller: lookups, delegation to it, plugins.
TASKSERV_TRUST_ROLES = env.flag("TASKSERV_TRUST_ROLES", False)
# Below these directories, workflow definitions are read from `workflows/` in the path of each workspace.
WORKFLOW_WORKSPACE_ROOTS = env.directories("WORKFLOW_WORKSPACE_ROOTS")
# To how many servers at once one run of Ansible connects; more wait for their turn, task by task.
ANSIBLE_FORKS = env.integer("ANSIBLE_FORKS", 10, minimum=1, maximum=500)
# How many runs of Ansible a node has under way at once: by default what fits in a quarter of its memory, at most eight.
ANSIBLE_RUNS = env.integer("ANSIBLE_RUNS", memory.ansible_runs(ANSIBLE_FORKS), minimum=1, maximum=1000)
# How often each running taskserv is verified, in minutes; 0 never.
TASKSERV_VERIFY_MINUTES = env.integer("TASKSERV_VERIFY_MINUTES", 60, minimum=0, maximum=10_080)

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
# No inline script or style anywhere, and nothing of other origins; Swagger UI's and the admin's icons are data: images.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.NONE],
        **dict.fromkeys(("script-src", "style-src", "font-src", "connect-src", "form-action"), [csp.SELF]),
        "img-src": [csp.SELF, "data:"],
        **dict.fromkeys(("base-uri", "frame-ancestors", "object-src"), [csp.NONE]),
    }
}
SSL_REDIRECT = env.flag("SSL_REDIRECT", True)
HSTS_SECONDS = env.integer("HSTS_SECONDS", 31_536_000, minimum=0, maximum=315_360_000)
HSTS_SUBDOMAINS = env.flag("HSTS_SUBDOMAINS", False)
# Whether names below ours have HTTPS is the operator's to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if not DEVELOPMENT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
    SECURE_SSL_REDIRECT = SSL_REDIRECT
    SECURE_REDIRECT_EXEMPT = [r"^health"]
    SECURE_HSTS_SECONDS = HSTS_SECONDS
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HSTS_SUBDOMAINS
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

LOG_LEVEL = env.choice("LOG_LEVEL", "", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
LOGGING = logging_for(LOG_LEVEL, development=DEVELOPMENT)

FAULTS = env.faults or ([] if DEVELOPMENT else deployment.faults(sys.modules[__name__]))
if FAULTS:
    raise SystemExit("\n".join(["The service cannot start with these settings:", *map(str, FAULTS)]))
private_files.make_private(VAR_DIR, ours=VAR_DIR == BASE_DIR / "var")
