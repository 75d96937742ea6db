"""`manage.py queuemigrations`: makemigrations that knows queues."""

from django.core.checks import Tags
from django.core.management.commands import makemigrations

from django_tpq.main.autodetector import QueueAutodetector


class Command(makemigrations.Command):
    """Django's makemigrations with our autodetector."""

    help = (
        "Creates new migration(s) for apps as makemigrations does; for queues they also install the checks, indexes "
        "and the bell, and it completes the migrations of queues that were made by makemigrations."
    )
    autodetector = QueueAutodetector
    requires_system_checks = [Tags.models]  # not the one that says: run queuemigrations
