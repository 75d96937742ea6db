"""Rows that move between the moment a claim sees them and the moment it locks them: claims go by a row's place."""

import threading
import time
from datetime import timedelta

import psycopg
import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)
SEES = "state = 'ready'"
SLOWLY = SEES + " AND (SELECT pg_sleep(0.4)::text) IS NOT NULL"
"""Seen first, locked a moment later."""

TAKES = {
    "claim": lambda table: table.claim(1, 3),
    "lease": lambda table: table.lease(HOUR, 3),
    "get": lambda table: table.get(3),
}


class SlowCursor(psycopg.Cursor):
    """A cursor in whose statement a moment passes between the choice of a row and its lock."""

    def execute(self, query, params=None, **options):
        return super().execute(query.replace(SEES, SLOWLY), params, **options)


@pytest.fixture
def slow(conn, connect, table_on):
    """Take messages in another thread, slowly; wait until it has seen them."""
    connection = connect(cursor_factory=SlowCursor)
    threads = []

    def slow(take):
        taken = []
        other = table_on(connection)
        threads.append(threading.Thread(target=lambda: taken.extend(take(other))))
        threads[0].start()
        query = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"
        while conn.execute(query, [connection.info.backend_pid]).fetchone() != ("PgSleep",):
            time.sleep(0.005)
        return taken, threads[0]

    yield slow
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("verb", TAKES)
def test_what_others_take_meanwhile_is_theirs(table, put, slow, verb):
    put()
    taken, thread = slow(TAKES[verb])
    assert len(table.claim(2, 1)) == 1
    thread.join()
    assert taken == []


@pytest.mark.parametrize("verb", TAKES)
def test_what_others_take_and_give_back_meanwhile_is_not_lost(table, put, slow, verb):
    number = put()
    taken, thread = slow(TAKES[verb])
    (message,) = table.claim(2, 1)
    assert table.release([Receipt(number, message.claim_no)]) == {number}
    thread.join()
    assert [m.id for m in [*taken, *TAKES[verb](table)]] == [number]


def test_a_dequeue_finds_it_in_its_second_look(table, put, slow):
    number = put()
    taken, thread = slow(TAKES["get"])
    (message,) = table.claim(2, 1)
    table.release([Receipt(number, message.claim_no)])
    thread.join()
    assert [m.id for m in taken] == [number]


@pytest.mark.parametrize("verb", TAKES)
def test_what_did_not_move_is_taken_all_the_same(table, put, slow, verb):
    moved, stays = put(), put()
    taken, thread = slow(TAKES[verb])
    assert [m.id for m in table.claim(2, 1)] == [moved]
    thread.join()
    assert [m.id for m in taken] == [stays]
