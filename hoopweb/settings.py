"""Settings, read from the environment once. What starts the processes is `hoopweb.stack`.

Every variable has a safe default or none at all: what is missing stops the start with its name.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(os.environ.get("HOOPWEB_STATE", str(BASE_DIR / "var")))


def required(name: str) -> str:
    """Return one environment variable or stop with its name."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. `make run` sets it; in production set it in the environment.")
    return value


def _secret_key() -> str:
    path = Path(os.environ.get("HOOPWEB_SECRET_KEY_FILE", str(STATE_DIR / "secrets" / "django-secret-key")))
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        raise ImproperlyConfigured(f"HOOPWEB_SECRET_KEY_FILE names {path.name}, which does not exist.") from None


def _file_text(variable: str) -> str:
    """The text of a file an environment variable names; empty where it names none."""
    name = os.environ.get(variable, "")
    return Path(name).read_text().strip() if name else ""


# Which process this is: web, web-edge, worker-approved, worker-jobs, beat or command.
ROLE = os.environ.get("HOOPWEB_ROLE", "command")
PUBLIC_URL = os.environ.get("HOOPWEB_URL", "http://127.0.0.1:8080").rstrip("/")
KEY_FILE = Path(os.environ.get("HOOPWEB_KEY_FILE", str(STATE_DIR / "secrets" / "sealing-key")))
# Set only where a stand-in takes AWS's place: calls are signed for AWS's host and dialled to this address.
UPSTREAM_AWS_URL = os.environ.get("HOOPWEB_UPSTREAM_AWS_URL", "")
# What clients call the edges. Before such a name they put buckets (virtual-hosted S3) and operations' host prefixes.
GATEWAY_NAMES = tuple(filter(None, os.environ.get("HOOPWEB_GATEWAY_NAMES", "localhost").split(",")))
# What AWS SDKs of enrolled devices take as `endpoint_url`, and the authority behind it where it is no public one.
AWS_ENDPOINT_URL = os.environ.get("HOOPWEB_EDGE_URL", "").rstrip("/")
_ca_file = os.environ.get("HOOPWEB_CA_FILE", "")
EDGE_CA_PEM = Path(_ca_file).read_text() if _ca_file else ""
HOLD_SECONDS = float(os.environ.get("HOOPWEB_HOLD_SECONDS", "90"))
INTERIM_SECONDS = float(os.environ.get("HOOPWEB_INTERIM_SECONDS", "15"))
FEED_SECONDS = 0.25
# The folder of the model that finds people's names where policy masks them, and what its files must be (gateway.names).
NAMES_MODEL = os.environ.get("HOOPWEB_NAMES_MODEL", "").strip()
NAMES_MODEL_DIGEST = os.environ.get("HOOPWEB_NAMES_MODEL_DIGEST", "").strip()
# Networks (CIDR, separated by commas) that tenants' own destinations may or may never lie in; see gateway.tenants.egress.
EGRESS_ALLOWED = os.environ.get("HOOPWEB_EGRESS_ALLOWED", "").split(",")
EGRESS_DENIED = os.environ.get("HOOPWEB_EGRESS_DENIED", "").split(",")

# The mail server notices go through; without a host, channels by e-mail are refused (approvals.notify).
EMAIL_HOST = os.environ.get("HOOPWEB_SMTP_HOST", "")
EMAIL_PORT = int(os.environ.get("HOOPWEB_SMTP_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("HOOPWEB_SMTP_USER", "")
EMAIL_HOST_PASSWORD = _file_text("HOOPWEB_SMTP_PASSWORD_FILE")
# STARTTLS, unless the server is this machine's own or speaks TLS from its first byte.
EMAIL_USE_SSL = os.environ.get("HOOPWEB_SMTP_TLS", "starttls") == "implicit"
EMAIL_USE_TLS = os.environ.get("HOOPWEB_SMTP_TLS", "starttls") == "starttls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("HOOPWEB_SMTP_FROM", "hoopweb@localhost")

SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("HOOPWEB_ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
_is_https = urlsplit(PUBLIC_URL).scheme == "https"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "guardian",
    "gateway.tenants",
    "gateway.sealing",
    "gateway.identity",
    "audit",
    "gateway.policy",
    "gateway.connections",
    "approvals",
    "gateway.requests",
    "gateway.jobs",
    "hoopweb",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "gateway.identity.middleware.CallerMiddleware",
    "hoopweb.period.PeriodMiddleware",
]
if ROLE == "web-edge":
    # The edge's API is signed by the edge's own key: no sessions, no cookies, no pages on its path.
    MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]

ROOT_URLCONF = "hoopweb.urls_edge" if ROLE == "web-edge" else "hoopweb.urls"
WSGI_APPLICATION = "hoopweb.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "hoopweb" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("HOOPWEB_DB_NAME", "hoopweb"),
        "USER": os.environ.get("HOOPWEB_DB_USER", "hoopweb_app"),
        "PASSWORD": os.environ.get("HOOPWEB_DB_PASSWORD", ""),
        "HOST": required("HOOPWEB_DB_HOST"),
        "PORT": os.environ.get("HOOPWEB_DB_PORT", "5432"),
        # Connecting costs more than a whole admission, so connections live as long as their thread.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": ROLE != "web-edge",
        "OPTIONS": {
            "application_name": f"hoopweb-{ROLE}",
            "connect_timeout": 5,
            # Statements are prepared after a few uses: planning the join before each call costs more than running it.
            "server_side_binding": True,
            "prepare_threshold": 3,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/sessions/"
LOGOUT_REDIRECT_URL = "/sign-in/"
CSRF_FAILURE_VIEW = "hoopweb.ui.failures.csrf_refused"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "hoopweb" / "static"]
STATIC_ROOT = STATE_DIR / "static"
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_NAME = "hoopweb_session"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31536000 if _is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _is_https
# TLS ends at the proxy before us, which says so in this header and lets no client say it (deploy/README.md).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _is_https else None
# Edges reach their own process inside the network and sign what they send; people are sent to https.
SECURE_SSL_REDIRECT = _is_https and ROLE != "web-edge"
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
# Preloading binds a whole domain for years: that is its owner's to decide, not this product's.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
X_FRAME_OPTIONS = "DENY"
# Strict everywhere: our own pages carry no inline script or style.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# A request body past this never reaches a view; the edge's batches have their own, larger bound.
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024 if ROLE == "web-edge" else 2 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["gateway.identity.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["gateway.identity.authentication.IsCaller"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "hoopweb.api.errors.problem_json",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "hoopweb",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "RequestStateEnum": "gateway.requests.models.RequestState.choices",
        "ApprovalStateEnum": "approvals.models.ApprovalState.choices",
        "ConnectionStateEnum": "gateway.connections.models.ConnectionState.choices",
        "VoteAnswerEnum": "approvals.models.VoteAnswer.choices",
        "ReviewAnswerEnum": "hoopweb.reviews.models.ReviewAnswer.choices",
        "OnUnreachableEnum": ["block", "spool"],
    },
}

CELERY_BROKER_URL = os.environ.get("HOOPWEB_REDIS_URL", "redis://127.0.0.1:6379/0")
# A lost broker answer must not hang a service: the outbox sweep sends again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "jobs"
# Approved calls have a queue and a worker of their own: no export ever stands before them.
CELERY_TASK_ROUTES = {
    "gateway.requests.tasks.take_grant": {"queue": "approved"},
    "gateway.requests.tasks.perform_run": {"queue": "approved"},
    "gateway.requests.tasks.publish_outbox": {"queue": "approved"},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("HOOPWEB_LOG_LEVEL", "INFO")},
}
