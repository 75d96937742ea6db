"""The settings of the project of django-tasks-db."""

from benchmarks.peers.declared.django_tasks_db_q2 import databases

SECRET_KEY = "bench"
USE_TZ = True
INSTALLED_APPS = ["django_tasks_db"]
DATABASES = databases()
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}
