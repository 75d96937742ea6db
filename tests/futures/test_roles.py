"""The roles of docs/security.md can do what they are for, and no more."""

import contextlib

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from django_tpq.futures import CallCancelled
from django_tpq.futures.models import CallQueue, Result, Task
from django_tpq.main.models import Consumer
from tests.docs.reader import blocks
from tests.testapp import tasks

pytestmark = pytest.mark.django_db(transaction=True)

ROLES = "app_producer", "app_executor", "app_reader", "app_operator"


@pytest.fixture
def roles(transactional_db):
    """All statements of the document."""
    with connection.cursor() as cursor:
        _drop(cursor)
        for language, text in blocks("docs/security.md"):
            assert language == "sql"
            cursor.execute(text)
    yield
    with connection.cursor() as cursor:
        _drop(cursor)


def _drop(cursor):
    for role in ROLES:
        with contextlib.suppress(ProgrammingError), transaction.atomic():
            cursor.execute(f"DROP OWNED BY {role}")
            cursor.execute(f"DROP ROLE {role}")


@pytest.fixture
def act(roles):
    """Be a role, for a block."""

    @contextlib.contextmanager
    def act(role):
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")

    return act


def is_denied(function):
    with pytest.raises(ProgrammingError, match="permission denied"):
        function()


def test_a_producer_makes_calls_singly_and_in_bulk(act):
    with act("app_producer"):
        tasks.add.delay(1, 2)
        tasks.add.using(delay=60, priority=3).delay(1, 2)
        tasks.add.delay_many([(1, 2)] * 3)
        tasks.add.delay_many([(1, 2)] * 600)
    assert CallQueue.objects.filter().count() == 605


@pytest.mark.parametrize(
    "deed",
    [
        lambda: CallQueue.objects.values_list("payload").first(),
        lambda: CallQueue.objects.dequeue_many(1),
        lambda: CallQueue.objects.update(state="dead"),
        lambda: CallQueue.objects.all().delete(),
        lambda: Result.objects.all().delete(),
        lambda: list(Consumer.objects.all()),
        lambda: list(Task.objects.all()),
    ],
)
def test_a_producer_can_not(act, deed):
    tasks.add.delay(1, 2)
    with act("app_producer"):
        is_denied(deed)


def test_a_producer_waits_for_results(act, by_hand):
    with act("app_producer"):
        future, failing = tasks.add.delay(1, 2), tasks.fail.delay("boo")
    by_hand.work()
    with act("app_producer"):
        assert future.result() == 3
        assert isinstance(failing.exception(), tasks.Trouble)


def test_an_executor_works_and_migrates_nothing(act, executor_as):
    future = tasks.add.delay(1, 2)
    process = executor_as("app_executor")
    assert future.result(wait=30) == 3
    assert tasks.add.delay(3, 4).result(wait=5) == 7  # by the bell
    assert process.stop() == 0
    assert "permission denied" not in process.text()
    with act("app_executor"):
        with pytest.raises(ProgrammingError, match="must be owner"), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tpq_call ADD COLUMN mine integer")


def test_a_dashboard_reads_figures_and_no_arguments(act):
    tasks.add.delay(1, 2)
    with act("app_reader"):
        assert list(Task.objects.all()) == []
        assert list(CallQueue.objects.values_list("task", "state")) == [("tests.testapp.tasks.add", "ready")]
        is_denied(lambda: CallQueue.objects.values_list("payload").first())
        is_denied(lambda: tasks.add.delay(1, 2))
        is_denied(lambda: CallQueue.objects.all().delete())


def test_who_tends_dead_letters_moves_them_and_makes_no_calls(act, by_hand):
    futures = tasks.fail.delay_many([("one",), ("two",)])
    by_hand.work()
    with act("app_operator"):
        assert [letter.task for letter in CallQueue.objects.dead()] == [tasks.fail.name] * 2
        assert CallQueue.objects.dead().filter(pk=futures[0]._call.number).requeue(delay=60) == (1, 0)
        assert CallQueue.objects.dead().discard() == 1
        assert list(Task.objects.all()) == []
        is_denied(lambda: tasks.add.delay(1, 2))
    assert list(Result.objects.values_list("token", flat=True)) == [futures[1]._call.token]


def test_who_tends_dead_letters_cancels_calls_and_a_producer_does_not(act):
    call = tasks.add.delay(1, 2)
    with act("app_producer"):
        is_denied(call.cancel)
        assert call.progress() is None
    with act("app_operator"):
        assert call.cancel()
    with pytest.raises(CallCancelled):
        call.result()


def test_a_producer_holds_keys_for_a_period(act):
    with act("app_producer"):
        once = tasks.index.using(unique_for=3600)
        once.delay(1)


@pytest.fixture
def executor_as(executor):
    """An executor whose connections are a role's."""
    return lambda role: executor("-t", "1", "--queue=default", TPQ_TEST_ROLE=role)


def test_no_role_is_more_than_it_says(roles):
    with psycopg.connect(**_parameters(), autocommit=True) as owner:
        query = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'app_%' AND (rolsuper OR rolcreaterole)"
        assert owner.execute(query).fetchall() == []


def _parameters():
    names = {"host", "port", "dbname", "user", "password"}
    return {k: v for k, v in connection.get_connection_params().items() if k in names}
