"""How a claim ends: ack, release, retry, bury; and how it lasts: extend."""

from datetime import timedelta

import pytest

from tpq.table import Receipt

HOUR, NOW = timedelta(hours=1), timedelta(0)


def bodies(messages):
    return [message.body for message in messages]


@pytest.fixture
def claimed(table, put):
    """Put messages and claim them; their receipts."""

    def claimed(*bodies, **columns):
        for body in bodies or (None,):
            put(body, **columns)
        return [Receipt(m.id, m.claim_no) for m in table.claim(1, max(len(bodies), 1))]

    return claimed


def test_an_acked_message_is_gone(table, claimed, row):
    (receipt,) = claimed()
    assert (table.ack([receipt]), row(table, receipt.id)) == ({receipt.id}, {})


def test_many_are_settled_at_once(table, claimed):
    receipts = claimed(1, 2, 3)
    assert table.ack(receipts) == {receipt.id for receipt in receipts}


def test_settling_nothing_changes_nothing(table, claimed):
    claimed()
    assert (table.ack([]), table.retry([], [], []), table.bury([], []), table.count("claimed")) == (
        set(),
        set(),
        set(),
        1,
    )


def test_a_released_message_is_ready_and_free(table, claimed, row):
    (receipt,) = claimed()
    table.release([receipt])
    now = row(table, receipt.id)
    assert (now["state"], now["claimed_by"], now["due_at"]) == ("ready", None, None)


def test_a_release_moves_no_count_but_leaves_the_claim_number(table, claimed, row):
    (receipt,) = claimed()
    table.release([receipt])
    now = row(table, receipt.id)
    assert (now["attempt"], now["deliveries"], now["claim_no"]) == (0, 0, 1)


def test_a_released_message_keeps_its_place(table, claimed, put):
    receipts = claimed(1, 2)
    put(3)
    table.release(receipts)
    assert bodies(table.claim(1, 3)) == [1, 2, 3]


def test_a_released_lease_is_ready_and_not_due(table, put, row):
    number = put()
    (message,) = table.lease(HOUR)
    table.release([Receipt(number, message.claim_no)])
    assert (row(table, number)["state"], row(table, number)["due_at"]) == ("ready", None)


def test_a_retried_message_waits_for_its_delay(table, claimed, row):
    (receipt,) = claimed()
    table.retry([receipt], [HOUR], [None])
    now = row(table, receipt.id)
    assert (now["state"], now["claimed_by"]) == ("waiting", None)
    assert table.next_due() == pytest.approx(3600, abs=30)


def test_a_message_retried_at_once_is_ready(table, claimed, row):
    (receipt,) = claimed()
    table.retry([receipt], [NOW], [None])
    assert (row(table, receipt.id)["state"], row(table, receipt.id)["due_at"]) == ("ready", None)


def test_a_message_retried_at_once_falls_in_behind_what_is_there(table, claimed, put):
    receipts = claimed("retried")
    put("there")
    table.retry(receipts, [NOW], [None])
    assert bodies(table.claim(1, 2)) == ["there", "retried"]


def test_a_retry_is_an_attempt(table, claimed, row):
    (receipt,) = claimed()
    table.retry([receipt], [NOW], [None])
    assert row(table, receipt.id)["attempt"] == 1


def test_a_snooze_is_no_attempt(table, claimed, row):
    (receipt,) = claimed()
    table.retry([receipt], [HOUR], [None], counts=False)
    assert (row(table, receipt.id)["state"], row(table, receipt.id)["attempt"]) == ("waiting", 0)


def test_a_retry_keeps_its_error(table, claimed, row):
    (receipt,) = claimed()
    table.retry([receipt], [NOW], ["it was the network"])
    assert row(table, receipt.id)["error"] == "it was the network"


def test_a_retry_without_an_error_leaves_the_last_one(table, claimed, row):
    (receipt,) = claimed()
    table.retry([receipt], [NOW], ["first"])
    (again,) = table.claim(1, 1)
    table.retry([Receipt(receipt.id, again.claim_no)], [NOW], [None])
    assert row(table, receipt.id)["error"] == "first"


def test_a_retry_ends_the_count_of_lost_deliveries(table, put, age, row):
    number = put()
    table.lease(HOUR)
    age(table, number, hours=2)
    table.promote()
    (message,) = table.lease(HOUR)
    table.retry([Receipt(number, message.claim_no)], [NOW], [None])
    assert (message.deliveries, row(table, number)["deliveries"]) == (1, 0)


def test_each_of_many_retries_has_its_own_delay_and_error(table, claimed, row):
    first, second = claimed(1, 2)
    table.retry([first, second], [NOW, HOUR], ["one", "two"])
    rows = [row(table, first.id), row(table, second.id)]
    assert [(r["state"], r["error"]) for r in rows] == [("ready", "one"), ("waiting", "two")]


def test_a_buried_message_is_a_dead_letter_with_its_error(table, claimed, row):
    (receipt,) = claimed()
    table.bury([receipt], ["beyond help"])
    now = row(table, receipt.id)
    assert (now["state"], now["error"], now["claimed_by"], now["attempt"]) == ("dead", "beyond help", None, 1)


def test_each_of_many_burials_has_its_own_error(table, claimed, row):
    first, second = claimed(1, 2)
    table.bury([second, first], ["two", "one"])
    assert [row(table, r.id)["error"] for r in (first, second)] == ["one", "two"]


def test_an_extended_lease_lasts_from_now_on(table, put, age, row):
    number = put()
    (message,) = table.lease(HOUR)
    age(table, number, minutes=50)
    table.extend([Receipt(number, message.claim_no)], HOUR)
    assert table.next_due() == pytest.approx(3600, abs=30)


def test_a_lease_can_be_extended_after_its_end_while_nobody_else_has_the_message(table, put, age):
    number = put()
    (message,) = table.lease(HOUR)
    age(table, number, hours=2)
    assert table.extend([Receipt(number, message.claim_no)], HOUR) == {number}


def test_extend_moves_no_count(table, put, row):
    number = put()
    (message,) = table.lease(HOUR)
    before = row(table, number)
    table.extend([Receipt(number, message.claim_no)], HOUR)
    assert {k: v for k, v in row(table, number).items() if k != "due_at"} == {
        k: v for k, v in before.items() if k != "due_at"
    }
