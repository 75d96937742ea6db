"""The project's settings; where everything is comes from the environment."""

import os
from datetime import UTC, datetime, timedelta

if offset := os.environ.get("CHAOS_CLOCK"):
    import time_machine

    # The wall clock only, as of a machine without NTP: what measures goes on.
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(offset)), tick=True).start()
DEBUG = False
SECRET_KEY = os.environ.get("CHAOS_KEY", "only for faults")
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("CHAOS_DATABASE", "postgres"),
        "USER": os.environ.get("CHAOS_USER", "postgres"),
        "PASSWORD": os.environ.get("CHAOS_PASSWORD", ""),
        "HOST": os.environ.get("CHAOS_HOST", ""),
        "PORT": os.environ.get("CHAOS_PORT", ""),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"connect_timeout": 2},
    }
}
if os.environ.get("CHAOS_READ_WRITE"):
    DATABASES["default"]["OPTIONS"]["target_session_attrs"] = "read-write"
INSTALLED_APPS = ["django_tpq.main", "django_tpq.futures", "chaos.project"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TPQ_LISTEN = {"same": "same", "none": None}.get(listen := os.environ.get("CHAOS_LISTEN", "same"), listen)
if cache := os.environ.get("CHAOS_CACHE"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache}}
else:
    TPQ_RESULT_STORE = "django_tpq.futures.results.DatabaseResults"
if ttl := os.environ.get("CHAOS_RESULT_TTL"):
    TPQ_RESULT_TTL = float(ttl)
LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "{asctime} {process} {name} {levelname} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
