"""The settings of the project of Django Q2."""

import os

from benchmarks.peers.declared.django_project.database import databases

is_best = os.environ["BENCH_CONFIG"] == "best"

SECRET_KEY = "only for benchmarks"
USE_TZ = True
INSTALLED_APPS = ["django_q"]
DATABASES = databases(is_best=is_best)
Q_CLUSTER = {
    "name": "DjangORM",
    "workers": 4,
    "timeout": 90,
    "retry": 120,
    "queue_limit": 50,
    "bulk": 10,
    "orm": "default",
}
if is_best:
    Q_CLUSTER |= {
        "workers": 1,
        "queue_limit": 500,
        "bulk": 100,
        "poll": 0.01,
        "save_limit": -1,
        "recycle": 100_000,
        "scheduler": False,
        "log_level": "WARNING",
    }
