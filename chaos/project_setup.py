"""Django in the process that judges: it reads what a trial leaves in the database."""

import os

from chaos.cluster import Cluster
from chaos.server import OwnServer

__all__ = ["use"]


def use(server: OwnServer | Cluster) -> None:
    """Let this process's Django use a server, whose tables are made if they are not there."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "chaos.project.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    connections["default"].close()
    del connections["default"]
    connections.settings["default"] |= {"PORT": "", "OPTIONS": {}, **server.entry}
    call_command("migrate", verbosity=0)
