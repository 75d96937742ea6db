"""The demo's settings: an embedded PostgreSQL, or the server of DATABASE_URL."""

import os
from pathlib import Path

from django_tpq.embedded import embedded

BASE_DIR = Path(__file__).resolve().parent.parent.parent
SECRET_KEY = "only for the demo"
USE_TZ = True
TIME_ZONE = "UTC"
# A project of yours says no more than: DATABASES = {"default": embedded(BASE_DIR / ".postgres")}.
# Each run of the demo has a database of its own on that server; its executors inherit the name.
DATABASES = {
    "default": embedded(BASE_DIR / ".postgres-demo"),
    "server": embedded(BASE_DIR / ".postgres-demo"),
}
DATABASES["default"]["NAME"] = os.environ.get("DEMO_DATABASE", DATABASES["server"]["NAME"])
INSTALLED_APPS = ["django_tpq.main", "django_tpq.futures", "examples.demo"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TPQ_RESULT_STORE = "django_tpq.futures.results.DatabaseResults"
