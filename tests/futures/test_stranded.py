"""Queued calls that this release could not run: by `executor --check`, `check --deploy` and `executor --status`."""

from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection

from django_tpq.futures import overview, registry, stranded, task
from django_tpq.futures.models import CallQueue
from django_tpq.futures.stranded import UNKNOWN, Stranded, unknown, why_not
from tests.failures.next_release import new
from tests.testapp import tasks

HERE = __name__


@pytest.fixture(autouse=True)
def _registered(monkeypatch, transactional_db):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


@pytest.fixture
def gone():
    """A task that is known while its calls are made, and then no more."""

    def gone(name, function, *calls, **options):
        made = task(name=name, **options)(function)
        futures = made.delay_many(list(calls))
        del registry._tasks[name]
        return futures

    return gone


def before(user, password=None):
    """As it was."""


def after(user, *, colour):
    """As it is now."""


def check(*arguments):
    out = StringIO()
    try:
        call_command("executor", "--check", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def test_where_all_can_be_run_that_is_said(gone):
    tasks.add.delay(1, 2)
    tasks.mail.delay("ada")
    assert check() == (0, "2 queued call(s) looked at: all can be run by this release\n")


def test_unknown_tasks_are_counted_with_their_oldest_call_some_ids_and_what_to_do(gone):
    futures = gone("tests.old", before, *[(str(n),) for n in range(5)])
    code, told = check()
    assert code == 1
    assert f"queue default: 5 call(s) of tests.old: {UNKNOWN}\n" in told
    assert f"such as {', '.join(future.id for future in futures[:3])}\n" in told
    assert "@task(aliases=['tests.old'])" in told
    oldest = CallQueue.objects.order_by("enqueued_at").first().enqueued_at
    assert f"the oldest since {oldest.isoformat(' ', 'seconds')};" in told
    assert told.endswith("5 queued call(s) looked at: 5 of them can not be run by this release\n")


def test_an_alias_is_all_it_takes(gone):
    gone("tests.old", before, ("ada",))
    task(aliases=["tests.old"])(before)
    assert check()[0] == 0


def test_arguments_that_do_not_fit_any_more_are_told_with_the_reason(gone):
    gone("tests.changed", before, ("ada", "hunter2"), {"user": "bob", "password": "hunter2"})
    task(name="tests.changed")(after)
    code, told = check()
    assert code == 1
    assert "1 call(s) of tests.changed: its arguments do not fit: too many positional arguments" in told
    assert (
        "1 call(s) of tests.changed: its arguments do not fit: missing a required argument: 'colour'" in told
    )
    assert "hunter2" not in told


@pytest.mark.parametrize("state", ["ready", "waiting", "claimed", "dead"])
def test_what_is_queued_in_whatever_state_is_looked_at_but_the_dead(gone, by_hand, state):
    gone("tests.old", before, ("ada",), delay=60 if state == "waiting" else None)
    if state == "claimed":
        by_hand.claim()
    if state == "dead":
        CallQueue.objects.update(state="dead")
    assert CallQueue.objects.get().state == state
    assert check()[0] == (0 if state == "dead" else 1)


def test_a_wrong_signature_is_told_and_nothing_is_read():
    tasks.add.delay(1, 2)
    CallQueue.objects.update(task=tasks.echo.name)
    assert "tests.testapp.tasks.echo: the payload's signature is wrong" in check()[1]


def test_arguments_whose_class_is_gone_are_told_by_the_type_of_the_error(monkeypatch):
    monkeypatch.setitem(globals(), "Gone", type("Gone", (), {"__module__": HERE, "__qualname__": "Gone"}))
    tasks.echo.delay(globals()["Gone"]())
    monkeypatch.delitem(globals(), "Gone")
    assert "tasks.echo: its arguments can not be read: AttributeError" in check()[1]


def test_a_codec_that_is_refused_here_is_told(settings):
    tasks.add.delay(1, 2)
    settings.TPQ_CODEC = "restricted"
    assert "tasks.add: pickle is refused: TPQ_CODEC is 'restricted'" in check()[1]


def test_of_what_nobody_knows_nothing_is_read(gone):
    gone("tests.old", before, ("ada",))
    CallQueue.objects.update(payload=b"nothing")
    (found,), _ = stranded.stranded("default", ["default"])
    assert (found.why, found.is_unknown) == (UNKNOWN, True)


def test_all_are_looked_at_however_many(gone, monkeypatch):
    monkeypatch.setattr(stranded, "BATCH", 3)
    gone("tests.old", before, *[("ada",)] * 10)
    (found,), seen = stranded.stranded("default", ["default", "mail"])
    assert (found.number, len(found.examples), seen) == (10, 3, 10)


def test_a_limit_looks_at_the_oldest_of_each_queue(gone):
    tasks.add.delay_many([(1, 2)] * 3)
    tasks.mail.delay("ada")
    gone("tests.old", before, ("ada",))
    assert check("--limit", "3") == (0, "4 queued call(s) looked at: all can be run by this release\n")
    assert check("--limit", "4")[0] == 1


def test_only_the_queues_that_were_asked_for(gone):
    gone("tests.old", before, ("ada",))
    assert check("--queue", "mail") == (0, "0 queued call(s) looked at: all can be run by this release\n")


def test_it_writes_nothing_and_reads_bounded_batches(gone, django_assert_max_num_queries):
    gone("tests.old", before, *[("ada",)] * 50)
    with django_assert_max_num_queries(4, connection=connection) as queries:
        stranded.stranded("default", ["default"])
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_a_call_of_djangos_own_tasks_is_looked_at_too():
    from tests.backend import work

    work.add.enqueue(1, 2)
    assert check()[0] == 0
    work.add.enqueue(1)
    assert "missing a required argument: 'b'" in check()[1]
    CallQueue.objects.update(task="tests.backend.work.gone")
    assert "the payload's signature is wrong" in check()[1]


def test_a_task_of_djangos_that_is_gone_can_not_be_imported(monkeypatch):
    from tests.backend import work

    work.add.enqueue(1, 2)
    monkeypatch.delattr(work, "add")
    assert "its task can not be imported: ImportError" in check()[1]


# check --deploy -------------------------------------------------------------------------------------------


def warned():
    return [m for m in run_checks(include_deployment_checks=True) if m.id == "tpq_futures.W010"]


def test_a_deployment_check_warns_of_unknown_tasks(gone):
    gone("tests.old", before, ("ada",), ("bob",))
    tasks.add.delay(1, 2)
    (message,) = warned()
    assert "'default' whose tasks are unknown here: tests.old (2)" in message.msg
    assert "aliases" in message.hint


def test_it_has_nothing_to_say_where_all_are_known():
    tasks.add.delay(1, 2)
    assert not warned()
    assert not [m for m in run_checks() if m.id == "tpq_futures.W010"]


def test_it_reads_a_bounded_number_and_no_arguments(gone, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(stranded, "LOOK", 2)
    gone("tests.old", before, *[("ada",)] * 5)
    with django_assert_num_queries(1, connection=connection) as queries:
        assert unknown("default", ["default"]) == {"tests.old": 2}
    assert "payload" not in queries.captured_queries[0]["sql"]


def test_tasks_that_can_not_be_imported_are_an_error(monkeypatch):
    def broken():
        raise ModuleNotFoundError("No module named 'gone'")

    monkeypatch.setattr("django_tpq.futures.checks.load_tasks", broken)
    told = [m for m in run_checks(include_deployment_checks=True) if m.id == "tpq_futures.E010"]
    assert "ModuleNotFoundError: No module named 'gone'" in told[0].msg


def test_without_tables_it_says_nothing(project):
    project.configure("INSTALLED_APPS += ['django_tpq.futures']\n")
    assert "tpq_futures.W010" not in project.manage("check", "--deploy").stderr


# --status -------------------------------------------------------------------------------------------------


def test_the_status_says_what_to_do_about_tasks_nobody_knows(by_hand):
    new.delay(1)
    del registry._tasks[new.name]
    by_hand.work()
    lines = list(overview.report("default", ["default"]))
    place = lines.index(f"  !! 1 call(s) of {new.name}: no executor knows this task yet")
    assert "`executor --check`" in lines[place + 1]


def test_why_not_is_none_for_what_can_be_run():
    tasks.add.delay(1, 2)
    assert why_not("default", CallQueue.objects.get()) is None
    assert Stranded("q", "t", UNKNOWN, 1, None, []).is_unknown
