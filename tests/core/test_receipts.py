"""A receipt is good until the message leaves its hands; a late one changes nothing."""

from datetime import timedelta

import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)

SETTLE = {
    "ack": lambda table, receipts: table.ack(receipts),
    "release": lambda table, receipts: table.release(receipts),
    "retry": lambda table, receipts: table.retry(receipts, [HOUR] * len(receipts), ["late"] * len(receipts)),
    "retry at once": lambda table, receipts: table.retry(
        receipts, [timedelta(0)] * len(receipts), ["late"] * len(receipts)
    ),
    "snooze": lambda table, receipts: table.retry(
        receipts, [HOUR] * len(receipts), [None] * len(receipts), counts=False
    ),
    "bury": lambda table, receipts: table.bury(receipts, ["late"] * len(receipts)),
    "extend": lambda table, receipts: table.extend(receipts, HOUR),
}


def promote(table, _receipt, age):
    age(table, _receipt.id, hours=2)
    table.promote()


def promote_and_claim(table, receipt, age):
    promote(table, receipt, age)
    table.lease(HOUR)


LOST = {
    "released": lambda table, receipt, age: table.release([receipt]),
    "retried": lambda table, receipt, age: table.retry([receipt], [HOUR], [None]),
    "buried": lambda table, receipt, age: table.bury([receipt], ["bad"]),
    "promoted": promote,
    "claimed by another": promote_and_claim,
}

settle = pytest.mark.parametrize("settle", SETTLE.values(), ids=SETTLE)


@pytest.fixture
def receipt(table, put):
    """The receipt of a message on a lease."""
    put()
    (message,) = table.lease(HOUR)
    return Receipt(message.id, message.claim_no)


@settle
def test_a_receipt_holds_while_the_message_is_ours(table, receipt, settle):
    assert settle(table, [receipt]) == {receipt.id}


@settle
def test_a_receipt_holds_after_the_leases_end_while_nobody_else_took_the_message(table, receipt, age, settle):
    age(table, receipt.id, hours=2)
    assert settle(table, [receipt]) == {receipt.id}


@settle
@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
def test_a_late_receipt_changes_nothing(table, receipt, age, row, settle, lose):
    lose(table, receipt, age)
    before = row(table, receipt.id)
    assert settle(table, [receipt]) == set()
    assert row(table, receipt.id) == before


@settle
@pytest.mark.parametrize("claimed_again", [False, True])
def test_a_receipt_is_void_after_its_consumer_was_taken_for_dead(table, put, row, settle, claimed_again):
    put()
    (message,) = table.claim(5, 1)
    table.reclaim([5])
    if claimed_again:
        table.claim_suspects(5)
    before = row(table, message.id)
    assert settle(table, [Receipt(message.id, message.claim_no)]) == set()
    assert row(table, message.id) == before


@settle
def test_a_receipt_for_a_message_that_is_gone_is_void(table, receipt, settle):
    table.ack([receipt])
    assert settle(table, [receipt]) == set()


@settle
@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_receipt_with_another_claim_number_is_void(table, receipt, row, settle, wrong):
    before = row(table, receipt.id)
    assert settle(table, [Receipt(receipt.id, receipt.claim_no + wrong)]) == set()
    assert row(table, receipt.id) == before


@settle
def test_a_message_that_was_never_claimed_can_not_be_settled(table, put, settle):
    assert settle(table, [Receipt(put(), 0)]) == set()


@settle
def test_one_late_receipt_does_no_harm_to_the_others(table, put, settle):
    for _ in range(3):
        put()
    first, late, last = (Receipt(m.id, m.claim_no) for m in table.lease(HOUR, 3))
    table.release([late])
    assert settle(table, [first, late, last]) == {first.id, last.id}


@settle
def test_a_settlement_that_is_rolled_back_never_was(conn, table, receipt, row, settle):
    before = row(table, receipt.id)
    with conn.transaction(force_rollback=True):
        settle(table, [receipt])
    assert row(table, receipt.id) == before


@settle
def test_a_receipt_given_twice_at_once_settles_once(table, receipt, row, settle):
    assert settle(table, [receipt, receipt]) == {receipt.id}
    assert row(table, receipt.id).get("attempt", 0) <= 1
