"""The app."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Its label is what its tables are called after."""

    name = "chaos.project"
    label = "project"
