"""The one database of every Django project here."""

import json
import os
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers.peer import Place

__all__ = ["databases"]


def databases(*, is_best: bool) -> dict[str, dict[str, Any]]:
    """`DATABASES`. The best configuration keeps its connections, as Django's documents recommend."""
    address = conninfo_to_dict(Place(*json.loads(os.environ["BENCH_PLACE"])).dsn)
    return {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address["dbname"],
            "USER": address.get("user", ""),
            "PASSWORD": address.get("password", ""),
            "HOST": address.get("host", ""),
            "PORT": address.get("port", ""),
            "CONN_MAX_AGE": None if is_best else 0,
        }
    }
