"""Django settings, flat. What can differ between machines is read in env.py."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from psycopg.conninfo import conninfo_to_dict

from access.config import AccessSettings
from hitl.config import HitlSettings
from knowledge.config import KnowledgeSettings
from personas.config import CrewSettings
from providers.config import ProviderSettings
from runs.config import MediaSettings, RunSettings
from telegram_bot.config import TelegramSettings

from . import env
from .embedded import paths
from .kernel.logging import cleaned

# Lets Django's classes take type arguments at run time, as DRF's do.
django_stubs_ext.monkeypatch()

BASE_DIR = env.BASE_DIR
CORE = env.load()
RUNS = RunSettings()
MEDIA = MediaSettings()
CREW = CrewSettings()
PROVIDERS = ProviderSettings()
KNOWLEDGE = KnowledgeSettings()
HITL = HitlSettings()
TELEGRAM = TelegramSettings()
ACCESS = AccessSettings()

# --- Identity and hosts
ENVIRONMENT = CORE.environment
LOCAL = ENVIRONMENT == "local"
DEBUG = False
SECRET_KEY = CORE.django_secret_key.get_secret_value()
API_KEY = CORE.api_key.get_secret_value()
PUBLIC_BASE_URL = (CORE.public_base_url or f"http://127.0.0.1:{CORE.port}").rstrip("/")
WEBHOOK_BASE_URL = (CORE.webhook_base_url or PUBLIC_BASE_URL).rstrip("/")
_PUBLIC_HOSTS = {str(urlsplit(url).hostname) for url in (PUBLIC_BASE_URL, WEBHOOK_BASE_URL)}
ALLOWED_HOSTS = sorted(_PUBLIC_HOSTS | set(filter(None, CORE.allowed_hosts.split(","))))
if LOCAL:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]", "testserver"]
DATA_DIR = CORE.data_dir

# --- Application
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_prometheus",
    "myloware",
    "access",
    "providers",
    "knowledge",
    "runs",
    "hitl",
    "telegram_bot",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "myloware.kernel.requests.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "myloware.urls"
ASGI_APPLICATION = "myloware.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Database
DB_URL = CORE.db_url or paths.database_url(DATA_DIR)


def _database(url: str) -> dict[str, Any]:
    parts = conninfo_to_dict(url)
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    options = {key: value for key, value in parts.items() if key not in names}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{names[key]: value for key, value in parts.items() if key in names},
        "OPTIONS": options,
        # Under ASGI every request has a thread of its own: connections that are kept pile up until none is left.
        "CONN_MAX_AGE": 0,
    }


DATABASES = {"default": _database(DB_URL)}

# --- Redis and Celery
REDIS_URL = CORE.redis_url or paths.redis_url(DATA_DIR)
# A broker that hangs must not hold up who only wants to remember something.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "socket_connect_timeout": 3,
            "socket_timeout": 3,
            "serializer": "myloware.kernel.plain.JsonSerializer",
        },
    }
}
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
# A soft limit comes first so that a stage can record why it ended; the lease survives on heartbeats alone.
CELERY_TASK_TIME_LIMIT = RUNS.stage_limit_s + 30
CELERY_TASK_SOFT_TIME_LIMIT = RUNS.stage_limit_s
# After so many tasks a worker's process connects to the database anew; see also myloware/celery.py.
CELERY_DB_REUSE_MAX = 100
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "runs"
# Who renders does nothing else, for that takes all cores and minutes (myloware/renderer.py).
CELERY_TASK_ROUTES = {"media.render": {"queue": "renders"}, "media.*": {"queue": "media"}}
CELERY_BEAT_SCHEDULER = "myloware.beat:Scheduler"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_TASK_SEND_SENT_EVENT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Redelivery is only a second net (the sweep is the first); it must come after the hard limit.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": CELERY_TASK_TIME_LIMIT + 60,
    # In the order in which a worker names its queues: what finds lost work must not wait behind the work.
    "queue_order_strategy": "priority",
    # A broker that hangs must not hold up who has just decided something.
    "socket_connect_timeout": 3,
    "socket_timeout": 3,
}
# The outbox sends again what the broker did not take.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    name: {"task": name, "schedule": timedelta(seconds=RUNS.sweep_s)} for name in ("runs.sweep", "providers.sweep")
} | {
    "telegram.sweep": {"task": "telegram.sweep", "schedule": timedelta(seconds=60), "options": {"expires": 60}},
    "telegram.progress": {"task": "telegram.progress", "schedule": timedelta(seconds=5), "options": {"expires": 5}},
    "hitl.sweep": {"task": "hitl.sweep", "schedule": timedelta(seconds=60), "options": {"expires": 60}},
    "media.sweep": {"task": "media.sweep", "schedule": timedelta(days=1), "options": {"expires": 3600}},
    "runs.tidy": {"task": "runs.tidy", "schedule": timedelta(hours=1), "options": {"expires": 3600}},
    # Often enough for forged callbacks not to pile up.
    "providers.tidy": {"task": "providers.tidy", "schedule": timedelta(minutes=5), "options": {"expires": 300}},
}

# --- Mail
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if HITL.email_host
    else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = DATA_DIR / "mail"
EMAIL_HOST = HITL.email_host
EMAIL_PORT = HITL.email_port
EMAIL_HOST_USER = HITL.email_host_user
EMAIL_HOST_PASSWORD = HITL.email_host_password.get_secret_value()
EMAIL_USE_TLS = True
EMAIL_TIMEOUT = 10

# --- HTTP API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["access.auth.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["access.auth.Scoped"],
    "DEFAULT_THROTTLE_CLASSES": ["access.auth.PerKey"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["myloware.kernel.requests.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "myloware.kernel.requests.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MyloWare",
    "DESCRIPTION": "A crew of AI agents that makes short videos, from a sentence to a published film.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENFORCE_NON_BLANK_FIELDS": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "myloware.kernel.openapi.describe_errors",
    ],
    # Runs and steps share their words; jobs have their own.
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "runs.models.run.STATUS_CHOICES",
        "JobStatusEnum": "runs.models.artifact.JOB_STATUS_CHOICES",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

# --- Files
STATIC_URL = "/static/"
# Locally files are served from where they lie; elsewhere `collectstatic` has gathered them.
STATIC_ROOT = None if LOCAL else BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = LOCAL
MEDIA_ROOT = MEDIA.folder or DATA_DIR / "media"
STORAGES = {
    "default": MEDIA.storage,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- Security
if not LOCAL:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^health$", r"^metrics$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
SECURE_REFERRER_POLICY = "same-origin"
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]

# --- Logs and telemetry
SECRETS = env.secret_values(CORE, RUNS, MEDIA, CREW, PROVIDERS, KNOWLEDGE, HITL, TELEGRAM)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"()": "myloware.kernel.logging.ConsoleFormatter", "secrets": SECRETS},
        "json": {"()": "myloware.kernel.logging.JsonFormatter", "secrets": SECRETS},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": CORE.log_format}},
    "root": {"handlers": ["stderr"], "level": CORE.log_level},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        # Each task's line; what a run does is told by runs.services, what a worker does by Flower.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # Scanners try other names all day; each is answered with 400.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
if CORE.sentry_dsn.get_secret_value():
    import sentry_sdk

    sentry_sdk.init(
        dsn=CORE.sentry_dsn.get_secret_value(),
        environment=ENVIRONMENT,
        traces_sample_rate=0.1,
        # Variables of functions hold keys.
        include_local_variables=False,
        before_send=lambda event, _: cleaned(event, SECRETS),
    )
# LangChain reads it: what leaves is decided in personas/traces.py, whatever the shell has exported.
os.environ["LANGSMITH_TRACING"] = "false"
