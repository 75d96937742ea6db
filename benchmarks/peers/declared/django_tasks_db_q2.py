"""What the Django projects of django-tasks-db and of Django Q2 share."""

import json
import os

import django
from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers.peer import Place

__all__ = ["databases", "is_best", "start"]


def start(settings: str, config: str) -> None:
    """Set Django up with a settings module of this package; a command that is started next finds it too."""
    os.environ["DJANGO_SETTINGS_MODULE"] = f"benchmarks.peers.declared.{settings}"
    os.environ["BENCH_CONFIG"] = config
    django.setup()


def is_best() -> bool:
    """Whether the best configuration is asked for."""
    return os.environ["BENCH_CONFIG"] == "best"


def databases() -> dict[str, dict[str, object]]:
    """The one database. The best configuration keeps its connections, as Django's documents recommend."""
    place = conninfo_to_dict(Place(*json.loads(os.environ["BENCH_PLACE"])).dsn)
    return {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": place["dbname"],
            "USER": place.get("user", ""),
            "PASSWORD": place.get("password", ""),
            "HOST": place.get("host", ""),
            "PORT": place.get("port", ""),
            "CONN_MAX_AGE": None if is_best() else 0,
        }
    }
