"""What can be done in the admin, and by whom."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from django_tpq.futures import Future
from django_tpq.futures.models import CallQueue
from django_tpq.main import admin as main_admin
from tests.futures.staff import CALLS, act, page, told, user_with
from tests.testapp import tasks

pytestmark = pytest.mark.django_db(transaction=True)


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
