"""`manage.py dbshell`."""

import shutil
from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import client

from django_tpq.embedded.running import run

__all__ = ["DatabaseClient"]


class DatabaseClient(client.DatabaseClient):
    """Django's, on a running server, and with the server's own `psql` where the machine has none."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """The command line. The server runs as long as this process does, which waits for the shell."""
        server = run(settings_dict)
        args, env = super().settings_to_cmd_args_env(settings_dict, parameters)
        return [shutil.which(args[0]) or str(server.bin / args[0]), *args[1:]], env
