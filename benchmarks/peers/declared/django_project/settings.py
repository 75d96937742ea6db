"""Settings: the database that is measured, and what `DjangoPeer` says of its system."""

import json
import os

from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers.peer import Place

address = conninfo_to_dict(Place(*json.loads(os.environ["BENCH_PLACE"])).dsn)
system = json.loads(os.environ["BENCH_DJANGO"])

SECRET_KEY = "only for benchmarks"
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": address["dbname"],
        "USER": address["user"],
        "PASSWORD": address.get("password", ""),
        "HOST": address["host"],
        "PORT": address["port"],
        "CONN_MAX_AGE": system["conn_max_age"],
    }
}
INSTALLED_APPS = [system["app"]]
TASKS = {"default": {"BACKEND": system["backend"], "OPTIONS": system["options"]}}
