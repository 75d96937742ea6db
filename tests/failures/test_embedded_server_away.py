"""An embedded server that can not be had."""

import psycopg
import pytest
from django.db import connections

from django_tpq.embedded import embedded
from django_tpq.main.connections import connect


@pytest.fixture
def alias(tmp_path, monkeypatch):
    """A database whose server has no programs."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    entry = embedded(tmp_path / ".postgres", binaries="/nowhere")
    monkeypatch.setitem(connections.settings, "nowhere", {**connections.settings["default"], **entry})
    yield "nowhere"
    del connections["nowhere"]


def test_our_own_connections_say_so_as_psycopg_would(alias):
    with pytest.raises(psycopg.OperationalError, match="/nowhere"):
        connect(alias)
