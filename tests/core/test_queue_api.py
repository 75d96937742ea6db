"""`tpq.Queue` and the shortcuts: connections from everywhere, transactions joined, nothing closed that was given."""

import threading

import psycopg
import psycopg_pool
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

import tpq

IDLE, INTRANS = TransactionStatus.IDLE, TransactionStatus.INTRANS


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No settings but those of the test."""
    for name in ("TPQ_URL", "TPQ_HOST", "TPQ_DB", "TPQ_USER", "TPQ_PASS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(dsn, monkeypatch):
    """The server's address in parts; its port is where libpq looks by itself."""
    parts = conninfo_to_dict(dsn)
    monkeypatch.setenv("PGPORT", str(parts.get("port", 5432)))
    return parts


@pytest.fixture
def pool(dsn):
    """A pool with one connection only."""
    with psycopg_pool.ConnectionPool(dsn, min_size=1, max_size=1, open=True, timeout=10) as pool:
        yield pool


@pytest.fixture
def queue(table, conn):
    """A queue on `conn`, which is autocommit."""
    with tpq.Queue(table.name, conn=conn) as queue:
        yield queue


def taken(queue, wait=-1):
    with queue.get(wait) as body:
        return body


# Verbs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [{"to": "ada"}, {}, [], 0, 0.0, False, None, "", 1, "text", [None]], ids=repr
)
def test_a_body_comes_back(queue, body):
    queue.put(body)
    assert repr(taken(queue)) == repr(body)


def test_an_empty_queue_says_so(queue):
    with pytest.raises(tpq.QueueEmpty, match=queue.name):
        taken(queue)


def test_the_length_is_what_could_be_taken_now(queue):
    queue.put(1)
    queue.put(2, delay=60)
    assert len(queue) == 1


def test_an_empty_queue_is_not_false(queue):
    assert (len(queue), bool(queue)) == (0, True)


def test_clear_says_how_many_it_deleted(queue):
    queue.put(1)
    queue.put(2, delay=60)
    assert (queue.clear(), len(queue)) == (2, 0)


def test_a_higher_priority_comes_first(queue):
    queue.put("later")
    queue.put("sooner", priority=1)
    assert taken(queue) == "sooner"


def test_a_delay_may_be_over_already(queue):
    queue.put(1, delay=-5)
    assert taken(queue) == 1


def test_an_exception_in_the_block_gives_the_message_back(queue):
    queue.put(1)
    with pytest.raises(ZeroDivisionError):
        with queue.get():
            raise ZeroDivisionError
    assert taken(queue) == 1


def test_an_exception_in_the_block_is_never_mistaken_for_a_missing_queue(queue, conn):
    queue.put(1)
    with pytest.raises(psycopg.errors.UndefinedTable):
        with queue.get():
            conn.execute("SELECT * FROM nowhere")


def test_a_rollback_in_the_block_gives_the_message_back_and_goes_on(queue):
    queue.put(1)
    with queue.get(wait=5):
        raise psycopg.Rollback
    assert taken(queue) == 1


def test_what_is_put_inside_the_block_goes_with_it(queue):
    queue.put(1)
    with pytest.raises(ZeroDivisionError):
        with queue.get():
            raise ZeroDivisionError(queue.put("next step"))
    assert len(queue) == 1


def test_a_message_can_be_taken_inside_the_block_of_another(queue):
    queue.put(1)
    queue.put(2)
    with queue.get() as first, queue.get() as second:
        assert (first, second) == (1, 2)


def test_what_can_not_be_kept_is_refused_before_anything_happens(queue):
    with pytest.raises(ValueError, match="nan"):
        queue.put(float("nan"))
    assert len(queue) == 0


@pytest.mark.parametrize(
    "use",
    [len, lambda q: q.put(1), taken, lambda q: q.clear(), lambda q: taken(q, 1)],
    ids=["len", "put", "get", "clear", "wait"],
)
def test_a_missing_queue_says_so(conn, use):
    with tpq.Queue("nowhere", conn=conn) as queue, pytest.raises(tpq.UnknownQueue, match="nowhere"):
        use(queue)


def test_creating_twice_only_warns(queue):
    queue.put(1)
    with pytest.warns(UserWarning, match="exists already"):
        queue.create()
    assert len(queue) == 1


# Transactions ---------------------------------------------------------------------------------------------


def test_an_open_transaction_is_joined_and_never_committed(connect, table):
    mine = connect(autocommit=False)
    mine.execute("SELECT 1")
    with tpq.Queue(table.name, conn=mine) as queue:
        queue.put(1)
        assert (taken(queue), len(queue), mine.info.transaction_status) == (1, 0, INTRANS)


def test_the_callers_rollback_undoes_what_was_put(connect, table):
    mine = connect(autocommit=False)
    mine.execute("SELECT 1")
    tpq.Queue(table.name, conn=mine).put(1)
    mine.rollback()
    assert table.count() == 0


def test_the_callers_rollback_brings_back_what_was_taken(connect, table, put):
    put(1)
    mine = connect(autocommit=False)
    mine.execute("SELECT 1")
    taken(tpq.Queue(table.name, conn=mine))
    mine.rollback()
    assert table.count() == 1


def test_an_exception_in_the_block_leaves_the_callers_transaction_usable(connect, table, put):
    put(1)
    mine = connect(autocommit=False)
    mine.execute("CREATE TEMPORARY TABLE kept AS SELECT 1")
    queue = tpq.Queue(table.name, conn=mine)
    with pytest.raises(psycopg.errors.DivisionByZero):
        with queue.get():
            mine.execute("SELECT 1/0")
    mine.execute("SELECT * FROM kept")
    assert taken(queue) == 1


def test_a_missing_queue_leaves_the_callers_transaction_usable(connect):
    mine = connect(autocommit=False)
    mine.execute("CREATE TEMPORARY TABLE kept AS SELECT 1")
    with pytest.raises(tpq.UnknownQueue):
        tpq.Queue("nowhere", conn=mine).put(1)
    mine.execute("SELECT * FROM kept")


def test_creating_belongs_to_the_callers_transaction(connect, table_name, conn):
    mine = connect(autocommit=False)
    mine.execute("SELECT 1")
    tpq.Queue(table_name, conn=mine).create()
    mine.rollback()
    with pytest.raises(tpq.UnknownQueue):
        len(tpq.Queue(table_name, conn=conn))


@pytest.mark.parametrize("autocommit", [True, False])
def test_without_an_open_transaction_each_verb_is_one(connect, table, autocommit):
    mine = connect(autocommit=autocommit)
    tpq.Queue(table.name, conn=mine).put(1)
    assert (table.count(), mine.info.transaction_status) == (1, IDLE)


# Connections ----------------------------------------------------------------------------------------------


def test_a_given_connection_is_never_closed(conn, table):
    with tpq.Queue(table.name, conn=conn) as queue:
        queue.put(1)
    assert not conn.closed


def test_a_connection_of_its_own_is_closed(table, dsn, monkeypatch):
    monkeypatch.setenv("TPQ_URL", dsn)
    with tpq.Queue(table.name) as queue:
        own = queue._own
    assert own.closed


def test_a_connection_and_a_pool_are_one_too_many(conn, pool):
    with pytest.raises(TypeError, match="not both"):
        tpq.Queue("q", conn=conn, pool=pool)


def test_a_pool_lends_a_connection_for_each_verb(pool, table):
    with tpq.Queue(table.name, pool=pool) as queue:
        queue.put(1)
        assert (len(queue), taken(queue), queue.clear()) == (1, 1, 0)


def test_a_given_pool_is_never_closed(pool, table):
    with tpq.Queue(table.name, pool=pool):
        pass
    assert not pool.closed


def test_a_block_that_fails_gives_the_message_and_the_connection_back(pool, table):
    with tpq.Queue(table.name, pool=pool) as queue:
        queue.put(1)
        with pytest.raises(ZeroDivisionError):
            with queue.get():
                raise ZeroDivisionError
        assert taken(queue) == 1


def test_a_waiter_holds_no_connection_of_the_pool(pool, table, eventually):
    bodies = []
    with tpq.Queue(table.name, pool=pool) as queue:
        thread = threading.Thread(target=lambda: bodies.append(taken(queue, 20)))
        thread.start()
        eventually(lambda: listens(queue))
        queue.put("by the only connection")
        thread.join(20)
    assert bodies == ["by the only connection"]


def listens(queue):
    assert queue._listener is not None
    assert queue._listener.healthy


def test_many_waiters_of_a_queue_share_one_ear(pool, table, conn, eventually):
    def ears():
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s"
        (count,) = conn.execute(query, [f'LISTEN "{table.channel()}"']).fetchone()
        assert count == 1

    with tpq.Queue(table.name, pool=pool) as queue:
        threads = [threading.Thread(target=taken, args=[queue, 20]) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(ears)
        for number in range(8):
            queue.put(number)
        for thread in threads:
            thread.join(20)
        assert len(queue) == 0


def test_the_ear_is_gone_after_close(table, conn, connect, eventually):
    queue = tpq.Queue(table.name, conn=connect())
    with pytest.raises(tpq.QueueEmpty):
        taken(queue, 0.2)
    queue.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "tpq-listener"]
