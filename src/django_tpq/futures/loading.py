"""All tasks of the project, imported: what an executor does at its start, and whoever judges what it could run."""

from django.conf import settings as project
from django.utils.module_loading import autodiscover_modules, import_string

__all__ = ["load_tasks"]


def load_tasks() -> None:
    """Import `tasks.py` of each installed app. Backends of Django's tasks find the tasks of their calls themselves,
    once they are imported."""
    autodiscover_modules("tasks")
    for parameters in getattr(project, "TASKS", {}).values():
        import_string(parameters["BACKEND"])
