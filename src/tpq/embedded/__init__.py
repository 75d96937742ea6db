"""A private PostgreSQL in a directory, with nothing installed and nothing to stop.

    server = start(".postgres")
    psycopg.connect(server.dsn)

Processes that start the same path share one server. It ends a few seconds after the last of them, however
that ended. Which PostgreSQL it is: `binaries.py`; where it lives: `directory.py`; who stops it: `guard.py`.
"""

from tpq.embedded.errors import EmbeddedError
from tpq.embedded.lease import start
from tpq.embedded.server import Server

__all__ = ["EmbeddedError", "Server", "start"]
