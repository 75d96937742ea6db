"""The Django project that is measured: no more than a project needs."""

import os

from django_tpq.embedded.address import entry_of

SECRET_KEY = "only for benchmarks"
USE_TZ = True
DATABASES = {"default": entry_of(os.environ.get("BENCH_DSN", "postgresql:///postgres"), "postgres")}
INSTALLED_APPS = ["django_tpq.main", "django_tpq.futures", "benchmarks.project"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TPQ_RESULT_STORE = os.environ.get("BENCH_STORE", "django_tpq.futures.results.DatabaseResults")
TPQ_LISTEN = "same" if os.environ.get("BENCH_LISTEN", "1") == "1" else None
if cache := os.environ.get("BENCH_CACHE"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache}}
    TPQ_RESULT_STORE = None
