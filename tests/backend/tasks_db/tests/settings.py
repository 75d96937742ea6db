"""Our tests' own settings, without our tests' apps; OF_TPQ is the directory of the repository."""

import os
import runpy

globals().update(runpy.run_path(f"{os.environ['OF_TPQ']}/tests/settings.py"))
INSTALLED_APPS = [app for app in globals()["INSTALLED_APPS"] if not app.startswith("tests.")]
INSTALLED_APPS.append("django_tasks_db")
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
TPQ_QUEUES = {"default": "tpq_futures.CallQueue"}
TEST_RUNNER = "tests.chosen.Runner"
del globals()["ROOT_URLCONF"]
