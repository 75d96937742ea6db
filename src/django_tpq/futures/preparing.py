"""What a process does before it can run calls: it imports the modules with tasks."""

from django.conf import settings as project
from django.utils.module_loading import autodiscover_modules, import_string

__all__ = ["prepare"]


def prepare() -> None:
    """Import each app's `tasks`, and the backends of Django's tasks: these find the tasks of their calls themselves."""
    autodiscover_modules("tasks")
    for parameters in getattr(project, "TASKS", {}).values():
        import_string(parameters["BACKEND"])
