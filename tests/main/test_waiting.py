"""`wait`: woken by the bell from any process, by polling where there is none, in and outside transactions."""

import threading
import time

import pytest
from django.db import connection, transaction

from django_tpq.main.errors import QueueEmpty
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects
NOWHERE = "host=/nowhere dbname=nothing"


@pytest.fixture
def only_the_bell(monkeypatch):
    """Nobody polls while the bell works."""
    monkeypatch.setattr("tpq.waiting.POLL_BEHIND_BELL", 3600.0)


def received(wait, **options):
    with queue.receive(wait=wait, **options) as message:
        return message.body


WAYS = {
    "dequeue": lambda wait: queue.dequeue(wait=wait),
    "dequeue_many": lambda wait: queue.dequeue_many(5, wait=wait)[0],
    "receive": received,
    "receive lease": lambda wait: received(wait, lease=60),
}
ways = pytest.mark.parametrize("take", WAYS.values(), ids=WAYS)


def backend():
    """The pid of this thread's connection at the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def activity(pid):
    """What a connection is doing: its state and whether it has a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, xact_start IS NOT NULL FROM pg_stat_activity WHERE pid = %s", [pid])
        return cursor.fetchone()


# The meaning of wait --------------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize("wait", [-1, -0.5])
def test_a_negative_wait_does_not_wait(take, wait):
    before = threading.active_count()
    with pytest.raises(QueueEmpty):
        take(wait)
    assert threading.active_count() == before  # nobody listened


@ways
def test_a_positive_wait_ends_after_so_many_seconds(take):
    begun = time.monotonic()
    with pytest.raises(QueueEmpty):
        take(0.2)
    assert time.monotonic() - begun >= 0.2


@ways
@pytest.mark.usefixtures("only_the_bell")
def test_a_wait_of_zero_ends_with_a_message(take, in_background, somebody_listens):
    taken = in_background(lambda: take(0))
    somebody_listens()
    queue.enqueue("came")
    assert taken() == "came"


@ways
def test_who_finds_a_message_at_once_does_not_listen(take):
    queue.enqueue("there")
    before = threading.active_count()
    assert (take(0), threading.active_count()) == ("there", before)


# The bell -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("only_the_bell")
def test_a_message_of_another_process_wakes_within_milliseconds(elsewhere, somebody_listens, in_background):
    producer = elsewhere("""
        import sys, time
        for line in sys.stdin:
            PlainQueue.objects.enqueue(time.time())
    """)
    delays = []
    for _ in range(9):
        taken = in_background(lambda: (queue.dequeue(wait=30), time.time()))
        somebody_listens()
        producer.stdin.write("now\n")
        producer.stdin.flush()
        sent, came = taken()
        delays.append(came - sent)
    assert min(delays) < 0.05
    assert sorted(delays)[4] < 0.5


@pytest.mark.usefixtures("only_the_bell")
def test_plain_sql_wakes_too(in_background, somebody_listens):
    taken = in_background(lambda: queue.dequeue(wait=30))
    somebody_listens()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO testapp_plainqueue (body) VALUES ('\"by hand\"')")
    assert taken() == "by hand"


@pytest.mark.usefixtures("only_the_bell")
def test_a_message_of_a_long_transaction_wakes_at_its_commit(in_background, somebody_listens):
    taken = in_background(lambda: queue.dequeue(wait=30))
    somebody_listens()
    with transaction.atomic():
        queue.enqueue("early")
        assert in_background(queue.count)() == 0
    assert taken() == "early"


@pytest.mark.usefixtures("only_the_bell")
def test_each_queue_has_its_own_bell(in_background, somebody_listens):
    taken = in_background(lambda: queue.dequeue(wait=30))
    somebody_listens()
    TenantQueue.objects.enqueue("another", tenant="ada")
    queue.enqueue("mine")
    assert (taken(), TenantQueue.objects.count()) == ("mine", 1)


@pytest.mark.usefixtures("only_the_bell")
def test_many_threads_wait_on_one_connection(in_background, somebody_listens):
    taken = [in_background(lambda: queue.dequeue(wait=30)) for _ in range(4)]
    somebody_listens()
    queue.enqueue_many(range(4))
    assert sorted(one() for one in taken) == list(range(4))


# Transactions ---------------------------------------------------------------------------------------------


@ways
def test_no_transaction_is_open_while_one_waits(take, in_background, somebody_listens, eventually):
    pids = []

    def wait():
        pids.append(backend())
        return take(30)

    def assert_idle():
        assert activity(pids[0]) == ("idle", False)

    taken = in_background(wait)
    somebody_listens()
    eventually(assert_idle)
    queue.enqueue("came")
    taken()


@ways
@pytest.mark.usefixtures("only_the_bell")
def test_inside_a_transaction_one_waits_by_the_process_s_ear(
    take, in_background, somebody_listens, eventually
):
    pids = []

    def wait():
        with transaction.atomic():
            pids.append(backend())
            return take(30)

    def assert_in_transaction():
        assert activity(pids[0]) == ("idle in transaction", True)

    taken = in_background(wait)
    somebody_listens()
    eventually(assert_in_transaction)
    queue.enqueue("came")
    assert taken() == "came"


def test_what_was_waited_for_inside_a_transaction_rolls_back_with_it(in_background, somebody_listens):
    def take_and_roll_back():
        with transaction.atomic():
            body = queue.dequeue(wait=30)
            transaction.set_rollback(True)
            return body

    taken = in_background(take_and_roll_back)
    somebody_listens()
    queue.enqueue("came")
    assert (taken(), queue.dequeue()) == ("came", "came")


# Without a bell -------------------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize("listen", [None, NOWHERE], ids=["none", "broken"])
def test_waiting_works_by_polling_where_nothing_is_heard(take, listen, settings, in_background):
    settings.TPQ_LISTEN = listen
    taken = in_background(lambda: take(20))
    queue.enqueue("came")
    assert taken() == "came"


@pytest.mark.parametrize("listen", [None, NOWHERE], ids=["none", "broken"])
def test_waiting_ends_where_nothing_is_heard(listen, settings):
    settings.TPQ_LISTEN = listen
    with pytest.raises(QueueEmpty):
        queue.dequeue(wait=0.2)


@pytest.mark.usefixtures("only_the_bell")
def test_the_bell_may_hang_at_a_dsn(settings, in_background, somebody_listens):
    connection.ensure_connection()
    settings.TPQ_LISTEN = connection.connection.info.dsn
    taken = in_background(lambda: queue.dequeue(wait=30))
    somebody_listens()
    queue.enqueue("came")
    assert taken() == "came"


def test_a_bell_that_breaks_while_one_waits_is_polled_for(in_background, somebody_listens):
    taken = in_background(lambda: queue.dequeue(wait=30))
    somebody_listens()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert cursor.rowcount == 1
    queue.enqueue("came")
    assert taken() == "came"


def test_a_message_that_falls_due_while_one_waits_is_taken():
    queue.enqueue("later", delay=0.3)
    assert queue.dequeue(wait=20) == "later"
