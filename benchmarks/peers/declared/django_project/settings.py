"""Settings: the database that is measured, and what `DjangoPeer` says of its system."""

import json
import os

from benchmarks.peers.declared.django_project.database import databases

system = json.loads(os.environ["BENCH_DJANGO"])

SECRET_KEY = "only for benchmarks"
USE_TZ = True
DATABASES = databases(is_best=system["is_best"])
INSTALLED_APPS = [system["app"]]
TASKS = {"default": {"BACKEND": system["backend"], "OPTIONS": system["options"]}}
