"""Any column of a call may have been changed by somebody who can write to the table: no code runs, nothing stops."""

import json

import pytest
from django.db import connection

from django_tpq.futures import Future
from django_tpq.futures.calls import BadSignature
from django_tpq.futures.models import CallQueue, Result
from tests.testapp import tasks

HEADERS = [
    "null", "[]", "0", '"text"', '{"result_ttl": "soon"}', '{"result_ttl": -1}', '{"result_ttl": true}',
    '{"result_ttl": null}', '{"result_ttl": 1e300}', '{"result_ttl": [1]}', '{"unknown": {"a": 1}}',
]  # fmt: skip
SIGNED = [
    ("task", "tests.testapp.tasks.add"),
    ("token", "A" * 22),
    ("token", ""),
    ("payload", b""),
    ("payload", b"\x80" * 500),
]
UNSIGNED = [
    ("priority", 7),
    ("attempt", 5),
    ("max_attempts", 0),
    ("max_attempts", -1),
    ("max_deliveries", 0),
    ("seq", -7),
    ("body", {"os": "system"}),
    ("unique_key", "' OR 1 = 1 --"),
    ("error", "'; DROP TABLE tpq_call; --"),
    ("errors", {"no": "list"}),
]


def change(future, **columns):
    CallQueue.objects.filter(pk=future._call.number).update(**columns)


@pytest.mark.parametrize(("column", "value"), SIGNED)
def test_what_is_signed_is_refused_when_it_was_changed(by_hand, column, value):
    changed, other = tasks.nap.delay(0), tasks.add.delay(1, 2)
    change(changed, **{column: value})
    by_hand.work()
    assert other.result(wait=20) == 3
    dead = CallQueue.objects.get(state="dead")
    assert "refused: the " in dead.error


@pytest.mark.parametrize(("column", "value"), UNSIGNED)
def test_what_is_not_signed_changes_no_call_and_stops_nothing(by_hand, column, value):
    changed, other = tasks.nap.delay(0), tasks.add.delay(1, 2)
    change(changed, **{column: value})
    by_hand.work()
    assert other.result(wait=20) == 3
    assert changed.result(wait=20) == 0


@pytest.mark.parametrize(("column", "value"), UNSIGNED)
def test_nor_does_it_when_the_call_fails(by_hand, column, value):
    changed, other = tasks.fail.delay("changed"), tasks.add.delay(1, 2)
    change(changed, **{column: value})
    by_hand.work()
    assert other.result(wait=20) == 3
    with pytest.raises(tasks.Trouble, match="changed"):
        changed.result(wait=20)


@pytest.mark.parametrize("task", [tasks.echo, tasks.fail])
@pytest.mark.parametrize("headers", HEADERS)
def test_headers_may_be_anything(by_hand, headers, task):
    changed, other = task.delay("changed"), tasks.add.delay(1, 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tpq_call SET headers = %s WHERE id = %s", [headers, changed._call.number])
    by_hand.work()
    assert other.result(wait=20) == 3
    if json.loads(headers) != {"result_ttl": 0}:
        assert Result.objects.filter(token=changed._call.token).exists()


def test_two_payloads_that_were_swapped_are_refused(by_hand):
    first, second = tasks.echo.delay(1), tasks.echo.delay(2)
    rows = {row.pk: row.payload for row in CallQueue.objects.all()}
    change(first, payload=rows[second._call.number])
    change(second, payload=rows[first._call.number])
    by_hand.work()
    assert CallQueue.objects.count(state="dead") == 2


def test_two_results_that_were_swapped_are_refused(done):
    first, second = done(tasks.echo, 1), done(tasks.echo, 2)
    records = dict(Result.objects.values_list("token", "record"))
    for one, other in ((first, second), (second, first)):
        Result.objects.filter(token=one._call.token).update(record=records[other._call.token])
    for future in (first, second):
        with pytest.raises(BadSignature):
            Future.get(future.id).result(wait=20)


def test_a_copy_of_a_whole_row_runs_again_which_no_signature_can_prevent(by_hand, tmp_path):
    tasks.note.delay(str(tmp_path / "notes"), "once")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tpq_call (task, token, payload) SELECT task, token, payload FROM tpq_call"
        )
    by_hand.work()
    assert (tmp_path / "notes").read_text() == "once\nonce\n"


def test_a_row_that_can_not_be_settled_keeps_nobody(executor):
    odd = tasks.fail.delay("odd")
    change(odd, attempt=2**31 - 1)
    others = tasks.add.delay_many([(number, 1) for number in range(300)])
    executor("-t", "2")
    assert [future.result(wait=30) for future in others] == list(range(1, 301))
    assert tasks.add.delay(1, 2).result(wait=30) == 3
