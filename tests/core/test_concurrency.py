"""Many at once: nothing is lost, nothing comes twice."""

import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

import psycopg
import pytest

from tpq.table import QueueTable, Receipt

MESSAGES = 5000
MINUTE = timedelta(minutes=1)


def drain(dsn, name, door):
    """Take messages until there are none; the bodies."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        table = QueueTable.of_messages(name, connection.cursor)
        bodies = []
        while messages := door(table):
            bodies += [message.body for message in messages]
        return bodies


def one_by_one(table):
    return table.get()


def in_tens(table):
    return table.get(10)


def claimed(table):
    messages = table.claim(1, 10)
    assert len(table.ack([Receipt(m.id, m.claim_no) for m in messages])) == len(messages)
    return messages


def leased(table):
    messages = table.lease(MINUTE, 10)
    assert len(table.ack([Receipt(m.id, m.claim_no) for m in messages])) == len(messages)
    return messages


@pytest.fixture
def full(table):
    """A queue with 5,000 messages."""
    table.put_many([str(number) for number in range(MESSAGES)], 0, None)
    return table


@pytest.mark.parametrize("door", [one_by_one, in_tens, claimed, leased])
def test_sixteen_threads_lose_and_double_nothing(full, dsn, door):
    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(lambda _: drain(dsn, full.name, door), range(16)))
    assert Counter(body for bodies in taken for body in bodies) == Counter(range(MESSAGES))


def test_eight_processes_lose_and_double_nothing(full, dsn):
    with ProcessPoolExecutor(8, mp_context=get_context("spawn")) as processes:
        drains = [processes.submit(drain, dsn, full.name, one_by_one) for _ in range(8)]
        taken = [one.result(60) for one in drains]
    assert Counter(body for bodies in taken for body in bodies) == Counter(range(MESSAGES))


def test_one_consumer_gets_them_in_order(table, dsn):
    table.put_many([str(number) for number in range(1000)], 0, None)
    assert drain(dsn, table.name, one_by_one) == list(range(1000))


def test_each_of_many_consumers_gets_them_in_order(full, dsn):
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: drain(dsn, full.name, in_tens), range(4)))
    assert all(bodies == sorted(bodies) for bodies in taken)


def test_producers_and_consumers_at_once_lose_and_double_nothing(table, dsn):
    produced, done = 1000, threading.Event()

    def produce(number):
        with psycopg.connect(dsn, autocommit=True) as connection:
            own = QueueTable.of_messages(table.name, connection.cursor)
            for turn in range(produced // 4):
                own.put({"body": str(number * produced + turn)})

    def consume(_):
        bodies = []
        while not done.is_set() or table_has_some():
            bodies += drain(dsn, table.name, one_by_one)
        return bodies

    def table_has_some():
        with psycopg.connect(dsn, autocommit=True) as connection:
            return QueueTable.of_messages(table.name, connection.cursor).count() > 0

    with ThreadPoolExecutor(8) as threads:
        consumers = [threads.submit(consume, number) for number in range(4)]
        list(threads.map(produce, range(4)))
        done.set()
        taken = Counter(body for one in consumers for body in one.result(60))
    assert taken == Counter(n * produced + turn for n in range(4) for turn in range(produced // 4))


def test_rollbacks_and_commits_at_once_lose_and_double_nothing(table, dsn):
    table.put_many([str(number) for number in range(300)], 0, None)

    def consume(seed):
        bodies = []
        with psycopg.connect(dsn, autocommit=True) as connection:
            own = QueueTable.of_messages(table.name, connection.cursor)
            for turn in range(10_000):
                back = (turn + seed) % 3 == 0
                with connection.transaction(force_rollback=back):
                    messages = own.get(2)
                if not messages:
                    return bodies
                bodies += [] if back else [message.body for message in messages]
        return bodies

    with ThreadPoolExecutor(8) as threads:
        taken = [body for bodies in threads.map(consume, range(8)) for body in bodies]
    left = [message.body for message in table.get(300)]
    assert Counter(taken + left) == Counter(range(300))


def test_promoting_reclaiming_and_claiming_at_once_lose_and_double_nothing(table, dsn):
    table.put_many([str(number) for number in range(600)], 0, timedelta(microseconds=1))
    table.put_many([str(number) for number in range(600, 900)], 0, None)
    table.claim(99, 300)

    def consume(number):
        bodies = []
        with psycopg.connect(dsn, autocommit=True) as connection:
            own = QueueTable.of_messages(table.name, connection.cursor)
            while own.count("claimed") or own.count("waiting") or own.count("ready"):
                own.promote(20)
                own.reclaim([99], begun=[])
                messages = own.claim(number, 7)
                held = own.ack([Receipt(m.id, m.claim_no) for m in messages])
                bodies += [message.body for message in messages if message.id in held]
        return bodies

    with ThreadPoolExecutor(8) as threads:
        taken = [body for bodies in threads.map(consume, range(8)) for body in bodies]
    assert Counter(taken) == Counter(range(900))
