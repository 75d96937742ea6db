"""Calls, tasks and queues in Django's admin, as its users see them."""

import html
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from django_tpq.futures import Future, registry, task
from django_tpq.futures.models import CallQueue, Task
from django_tpq.main import admin as main_admin
from tests.testapp import tasks
from tests.testapp.models import MailQueue, PlainQueue, TenantQueue

HERE = __name__
CALLS = "admin:tpq_futures_callqueue_changelist"


@pytest.fixture(autouse=True)
def _registered(monkeypatch, transactional_db):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def user_with(*codenames):
    """A client of somebody of the staff who has these permissions."""
    user = User.objects.create_user(f"u{User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root():
    """A client of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def failed(by_hand):
    """Calls that have failed: their futures."""

    def failed(made, *calls):
        futures = made.delay_many(list(calls))
        by_hand.work(made.options.queue)
        return futures

    return failed


def page(client, name=CALLS, *arguments, **query):
    """A page's text, without the markup's escapes."""
    answer = client.get(reverse(name, args=arguments), query)
    assert answer.status_code == 200, (answer.status_code, answer.headers.get("Location"))
    return html.unescape(answer.content.decode())


def act(client, action, *ids, name=CALLS, **more):
    """Choose an action for rows; the answer, after its redirect."""
    given = {"action": action, "index": "0", "_selected_action": [str(number) for number in ids], **more}
    return client.post(reverse(name), given, follow=True)


def told(answer):
    """The messages of a page."""
    return [str(message) for message in answer.context["messages"]]


def login(user, password):
    raise PermissionError("no")


def buried(*bodies, of=PlainQueue, **columns):
    """Messages that were buried; their numbers."""
    of.objects.enqueue_many(bodies, **columns)
    numbers = []
    for _ in bodies:
        with of.objects.receive(lease=60) as message:
            message.bury("nobody wants it")
        numbers.append(message.pk)
    return numbers


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


# Actions --------------------------------------------------------------------------------------------------


def test_some_are_requeued_and_run_again(root, failed, by_hand, monkeypatch):
    first, second, _ = failed(tasks.fail, ("one",), ("two",), ("three",))
    monkeypatch.setattr(tasks.fail, "function", lambda text: f"mended {text}")
    answer = act(root, "requeue", first._call.number, second._call.number)
    assert told(answer) == ["2 dead letters requeued."]
    by_hand.work()
    assert [Future.get(future.id).result() for future in (first, second)] == ["mended one", "mended two"]
    assert CallQueue.objects.count("dead") == 1


def test_those_that_can_not_move_are_counted(root, failed):
    first, second = failed(tasks.fail, ("one",), ("two",))
    CallQueue.objects.filter(pk=first._call.number).update(unique_key="k")
    living = tasks.add.delay(1, 2)
    CallQueue.objects.filter(state="ready").update(unique_key="k")
    answer = act(root, "requeue", first._call.number, second._call.number, living._call.number)
    expected = "1 dead letter requeued. 1 stayed: another message has the unique key. 1 of those selected is not dead."
    assert told(answer) == [expected]


def test_all_of_a_list_are_requeued_after_a_question_with_their_number(root, failed, monkeypatch):
    monkeypatch.setattr(main_admin, "MOST", 60)  # fewer than there are
    failed(tasks.fail, *[("x",)] * 70)
    failed(tasks.add, (1, "x"))
    chosen = {"select_across": "1"}
    name = f"{reverse(CALLS)}?state__exact=dead&task={tasks.fail.name}"
    given = {"action": "requeue", "index": "0", "_selected_action": ["1"], **chosen}
    asked = root.post(name, given)
    assert "Requeue 70 dead letters?" in asked.content.decode()
    assert CallQueue.objects.count("dead") == 71
    again = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked.content.decode()))
    assert again["confirmed"] == "yes"
    answer = root.post(name, again, follow=True)
    assert told(answer) == ["70 dead letters requeued."]
    assert CallQueue.objects.get(state="dead").task == tasks.add.name


def test_what_is_discarded_is_asked_about_first(root, failed):
    first, second = failed(tasks.fail, ("one",), ("two",))
    asked = act(root, "discard", first._call.number)
    assert "Discard 1 dead letter?" in asked.content.decode()
    assert CallQueue.objects.count("dead") == 2
    answer = act(root, "discard", first._call.number, confirmed="yes")
    assert told(answer) == ["1 dead letter discarded."]
    assert CallQueue.objects.get().pk == second._call.number


def test_the_living_are_not_discarded(root):
    living = tasks.add.delay(1, 2)
    answer = act(root, "discard", living._call.number, confirmed="yes")
    assert told(answer) == ["0 dead letters discarded. 1 of those selected is not dead."]
    assert CallQueue.objects.exists()


def test_a_dead_letters_own_page_has_buttons_and_others_have_none(root, failed):
    (future,) = failed(tasks.fail, ("one",))
    living = tasks.add.delay(1, 2)
    text = page(root, "admin:tpq_futures_callqueue_change", future._call.number)
    for verb in ("requeue", "discard"):
        assert f'name="action" value="{verb}"' in text
    assert 'name="action"' not in page(root, "admin:tpq_futures_callqueue_change", living._call.number)
    assert f'name="_selected_action" value="{future._call.number}"' in text


# Permissions ----------------------------------------------------------------------------------------------


def test_who_may_only_look_can_only_look(failed):
    (future,) = failed(tasks.fail, ("one",))
    viewer = user_with("view_callqueue")
    assert tasks.fail.name in page(viewer)
    text = page(viewer, "admin:tpq_futures_callqueue_change", future._call.number)
    assert "Trouble" in text
    assert 'name="action"' not in text
    assert "Requeue dead letters" not in page(viewer)
    for action in ("requeue", "discard"):
        act(viewer, action, future._call.number, confirmed="yes")
    assert CallQueue.objects.get().state == "dead"


@pytest.mark.parametrize(
    ("permission", "may", "may_not"), [("change", "requeue", "discard"), ("delete", "discard", "requeue")]
)
def test_each_action_has_its_permission(failed, permission, may, may_not):
    (future,) = failed(tasks.fail, ("one",))
    client = user_with("view_callqueue", f"{permission}_callqueue")
    text = page(client, "admin:tpq_futures_callqueue_change", future._call.number)
    assert f'name="action" value="{may}"' in text
    assert f'name="action" value="{may_not}"' not in text
    act(client, may_not, future._call.number, confirmed="yes")
    assert CallQueue.objects.get().state == "dead"
    act(client, may, future._call.number, confirmed="yes")
    assert CallQueue.objects.count("dead") == 0


def test_who_has_no_permission_sees_nothing(failed):
    failed(tasks.fail, ("one",))
    assert user_with("view_task").get(reverse(CALLS)).status_code == 403
    assert act(user_with("view_task"), "requeue", 1).status_code == 403


def test_a_forged_request_moves_nothing(failed):
    (future,) = failed(tasks.fail, ("one",))
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("another"))
    assert act(client, "requeue", future._call.number).status_code == 403
    assert CallQueue.objects.get().state == "dead"


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
