"""The class of tasks that the backend was built for."""

from django_tpq.backend.compat import Task

__all__ = ["Task"]
