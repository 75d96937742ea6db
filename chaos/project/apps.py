"""The app."""

from django.apps import AppConfig

from chaos.project.sabotage import spoil


class ProjectConfig(AppConfig):
    """Its label is what its tables are called after."""

    name = "chaos.project"
    label = "project"

    def ready(self) -> None:
        """Spoil the product, where that is asked for."""
        spoil()
