"""A connection of our own waits for an answer no longer than it was told."""

import logging
import threading
import time

import psycopg
import pytest

from tpq import patience
from tpq.own import cursor_of
from tpq.patience import PatientConnection, minded

SLOW = "SELECT pg_sleep(30)::text"
SOON = 5.0
"""Seconds within which what waits half a second must have been given up."""


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(patience, "LOOK", 0.05)


@pytest.fixture
def connect(dsn):
    """Open a connection that waits so long."""
    opened = []

    def connect(seconds):
        connection = PatientConnection.connect(dsn, autocommit=True, prepare_threshold=0)
        opened.append(minded(connection, seconds))
        return connection

    yield connect
    for connection in opened:
        connection.close()


def by_cursor(connection):
    connection.execute(SLOW)


def by_libpq(connection):
    with cursor_of(connection)() as cursor:
        cursor.execute(SLOW, {})


def in_a_pipeline(connection):
    with connection.pipeline(), connection.transaction():
        connection.execute(SLOW)


WAYS = [by_cursor, by_libpq, in_a_pipeline]


@pytest.mark.parametrize("way", WAYS)
def test_who_waits_too_long_gets_the_error_of_a_broken_connection(connect, way):
    connection, began = connect(0.5), time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        way(connection)
    assert connection.closed
    assert 0.4 < time.monotonic() - began < SOON


def test_it_says_so(connect, caplog):
    with caplog.at_level(logging.WARNING, "tpq.patience"), pytest.raises(psycopg.OperationalError):
        by_libpq(connect(0.5))
    assert [record.getMessage() for record in caplog.records] == [
        "no answer from the database for 0.5 s: the connection is given up"
    ]


@pytest.mark.parametrize("way", WAYS)
def test_others_are_left_alone(connect, way):
    patient, impatient = connect(60), connect(0.5)
    thread = threading.Thread(target=patient.execute, args=["SELECT pg_sleep(1)"])
    thread.start()
    with pytest.raises(psycopg.OperationalError):
        way(impatient)
    thread.join()
    assert patient.execute("SELECT 1").fetchone() == (1,)


def test_who_has_its_answers_may_rest_for_long(connect):
    connection = connect(0.3)
    for _ in range(2):
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with cursor_of(connection)() as cursor:
            cursor.execute("SELECT 1", {})
        time.sleep(0.8)


def test_one_that_is_closed_is_forgotten(connect):
    connection = connect(0.1)
    connection.close()
    time.sleep(0.3)
    assert connection.closed


def test_it_does_not_keep_a_connection_alive(dsn):
    connection = minded(PatientConnection.connect(dsn), 60)
    connection.close()
    before = len(patience._watch._minded)
    del connection
    deadline = time.monotonic() + SOON
    while len(patience._watch._minded) >= before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(patience._watch._minded) < before
