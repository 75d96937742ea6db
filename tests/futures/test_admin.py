"""Calls, tasks and queues in Django's admin, as its users see them."""

import html
import re

import pytest
from django.db import connection
from django.urls import reverse

from django_tpq.futures import registry, task
from django_tpq.futures.models import CallQueue, Task
from django_tpq.main import admin as main_admin
from tests.futures.deadletters import buried
from tests.futures.staff import CALLS, act, page, told
from tests.testapp import tasks
from tests.testapp.models import MailQueue, PlainQueue, TenantQueue

HERE = __name__


@pytest.fixture(autouse=True)
def _registered(monkeypatch, transactional_db):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def login(user, password):
    raise PermissionError("no")


# The list -------------------------------------------------------------------------------------------------


def test_calls_of_all_states_are_listed_and_those_of_one_chosen(root, failed):
    failed(tasks.fail, ("one",))
    tasks.add.delay(1, 2)
    tasks.echo.using(delay=60).delay()
    text = page(root)
    for name in ("fail", "add", "echo"):
        assert f'class="field-task">tests.testapp.tasks.{name}<' in text
    assert re.findall(r'class="field-task">([\w.]+)<', page(root, state__exact="dead")) == [tasks.fail.name]
    assert "Trouble: ('one', 1)" in text


def test_they_are_chosen_by_task_error_and_time(root, failed):
    failed(tasks.fail, ("one",))
    failed(tasks.add, (1, "x"))
    failed(tasks.echo, ())

    def chosen(**query):
        return re.findall(r'class="field-task">([\w.]+)<', page(root, **query))

    assert chosen(task=tasks.add.name) == [tasks.add.name]
    assert chosen(state__exact="dead", type="builtins.TypeError") == [tasks.add.name]
    assert chosen(died="hour") == [tasks.add.name, tasks.fail.name]
    CallQueue.objects.update(errors=[{"at": "2020-01-01T00:00:00+00:00", "type": None, "error": ""}])
    assert chosen(died="week") == []
    assert "type of the last error" not in page(root)
    assert 'type=builtins.TypeError"' not in page(root, state__exact="ready")


def test_they_are_found_by_id_number_key_and_task(root, failed):
    (future,) = failed(tasks.fail, ("one",))
    tasks.bill.delay(7)

    def found(term):
        return re.findall(r'class="field-task">([\w.]+)<', page(root, q=term))

    assert found(future.id) == found(str(future._call.number)) == found(tasks.fail.name) == [tasks.fail.name]
    assert found(f"{tasks.bill.name}:account:7") == [tasks.bill.name]
    assert found(f"{future.id[:-1]}{'x' if future.id[-1] != 'x' else 'y'}") == []
    assert found("9" * 40) == []
    assert len(found("  ")) == 2


def test_a_list_reads_nothing_large_and_counts_no_further_than_it_must(
    root, failed, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(main_admin, "MOST", 60)
    failed(tasks.fail, *[("x",)] * 70)
    with django_assert_max_num_queries(9, connection=connection) as queries:
        text = page(root)
    asked = [query["sql"] for query in queries.captured_queries if "tpq_call" in query["sql"]]
    assert not any('"payload"' in sql or '"tpq_call"."body"' in sql for sql in asked)
    assert all("LIMIT" in sql for sql in asked)
    assert len(asked) == 2
    assert "60 calls" in text


def test_no_list_can_be_ordered_by_what_has_no_index(root, failed):
    failed(tasks.fail, ("x",))
    assert "?o=" not in page(root)


# One call -------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_shown_with_all_its_runs(root, by_hand):
    future = tasks.stumble.delay(9)
    for _ in range(3):
        by_hand.work()
    text = page(root, "admin:tpq_futures_callqueue_change", future._call.number)
    assert text.count("Traceback (most recent call last)") == 3
    for number in (1, 2, 3):
        assert f"Trouble: ('attempt', {number})" in text
        assert f"<strong>{number}. " in text
    assert ": tests.testapp.tasks.Trouble</strong>" in text
    assert future.id in text
    assert "(9)" in text


def test_nothing_can_be_edited_or_added_or_deleted(root, failed):
    (future,) = failed(tasks.fail, ("one",))
    number, before = future._call.number, CallQueue.objects.values().get()
    text = page(root, "admin:tpq_futures_callqueue_change", number)
    assert 'name="_save"' not in text
    assert 'name="state"' not in text
    for name, arguments in (("change", [number]), ("delete", [number]), ("add", [])):
        answer = root.post(
            reverse(f"admin:tpq_futures_callqueue_{name}", args=arguments), {"state": "ready", "post": "yes"}
        )
        assert answer.status_code == 403
    act(root, "delete_selected", number, post="yes")
    assert CallQueue.objects.values().get() == before


def test_secrets_are_shown_nowhere(root, failed):
    made = task(secret=("password",))(login)
    (future,) = failed(made, ("ada", "hunter2"))
    text = page(root, "admin:tpq_futures_callqueue_change", future._call.number)
    assert "('ada', ••••)" in text
    assert "hunter2" not in text
    assert "hunter2" not in page(root)


def test_of_a_task_that_is_unknown_here_no_argument_is_shown(root, failed):
    made = task(secret=("password",))(login)
    (future,) = failed(made, ("ada", "hunter2"))
    del registry._tasks[made.name]
    text = page(root, "admin:tpq_futures_callqueue_change", future._call.number)
    assert "the task is unknown here" in text
    assert "hunter2" not in text
    assert "ada" not in text


def test_a_traceback_is_text_and_no_markup(root, failed):
    (future,) = failed(tasks.fail, ("<script>alert(1)</script>",))
    raw = root.get(reverse("admin:tpq_futures_callqueue_change", args=[future._call.number])).content.decode()
    assert "<script>alert" not in raw
    assert "&lt;script&gt;alert" in raw
    assert "<script>alert" not in root.get(reverse(CALLS)).content.decode()


# Other queues, tasks --------------------------------------------------------------------------------------


def test_a_call_queue_of_ones_own_shows_its_columns_too(root, failed):
    (future,) = failed(tasks.mail, ())
    row = MailQueue.objects.get()
    text = page(root, "admin:testapp_mailqueue_change", row.pk)
    assert str(row.envelope) in text
    assert future.id in text
    answer = act(root, "requeue", row.pk, name="admin:testapp_mailqueue_changelist")
    assert told(answer) == ["1 dead letter requeued."]


def test_messages_are_shown_with_their_bodies_and_moved_alike(root):
    first, second = buried({"order": "<7>"}, {"order": 8})
    assert "nobody wants it" in page(root, "admin:testapp_plainqueue_changelist")
    raw = root.get(reverse("admin:testapp_plainqueue_change", args=[first])).content.decode()
    assert "&quot;order&quot;: &quot;&lt;7&gt;&quot;" in raw
    act(root, "requeue", first, name="admin:testapp_plainqueue_changelist")
    assert PlainQueue.objects.dequeue() == {"order": "<7>"}
    act(root, "discard", second, name="admin:testapp_plainqueue_changelist", confirmed="yes")
    assert not PlainQueue.objects.exists()


def test_messages_show_their_own_columns(root):
    (number,) = buried(1, of=TenantQueue, tenant="acme")
    assert "acme" in page(root, "admin:testapp_tenantqueue_change", number)


def test_tasks_are_listed_with_their_figures_and_the_way_to_their_dead_letters(root, failed, by_hand):
    failed(tasks.fail, ("one",), ("two",))
    by_hand.tally.flush(by_hand.connection)
    assert Task.objects.get().failures == 2
    text = page(root, "admin:tpq_futures_task_changelist")
    assert tasks.fail.name in text
    links = re.findall(r'href="([^"]*state__exact[^"]*)"', text)
    assert len(links) == 2  # a call queue each
    assert (
        re.findall(r'class="field-task">([\w.]+)<', html.unescape(root.get(links[0]).content.decode()))
        == [tasks.fail.name] * 2
    )
    assert root.get(reverse("admin:tpq_futures_task_change", args=[tasks.fail.name])).status_code == 200
    assert root.get(reverse("admin:tpq_futures_task_add")).status_code == 403


def test_the_index_has_them(root):
    text = page(root, "admin:index")
    assert "Calls" in text
    assert "Tasks" in text


def test_nothing_of_it_needs_the_admin_to_be_installed(project):
    project.configure("INSTALLED_APPS += ['django_tpq.futures']\n")
    assert "tpq_futures.W001" in project.manage("check").stderr  # and no error
