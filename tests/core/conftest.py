"""A listener, and somebody who listens; a clock for floors."""

from types import SimpleNamespace

import psycopg
import pytest

from tests.core.ears import Ear
from tpq import floors
from tpq.bell import Listener


@pytest.fixture
def name(table_name):
    """A name for connections and channels that no other test uses."""
    return f"bell_{table_name}"


@pytest.fixture
def open_connection(dsn, name):
    """Open the listener's kind of connection; it is called by its name."""
    return lambda: psycopg.connect(dsn, autocommit=True, application_name=name)


@pytest.fixture
def listener(open_connection):
    """A listener that nobody is subscribed to at the end."""
    listener = Listener(open_connection)
    yield listener
    listener.close()


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def notify(conn):
    """Ring a channel."""
    return lambda channel, payload="": conn.execute("SELECT pg_notify(%s, %s)", [channel, payload])


@pytest.fixture
def backends(conn, name):
    """The server's processes for the listener."""

    def backends():
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        return [row[0] for row in conn.execute(query, [name])]

    return backends


@pytest.fixture
def clock(monkeypatch):
    """The clock of floors: it stands still until its `now` is moved."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(floors, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock
