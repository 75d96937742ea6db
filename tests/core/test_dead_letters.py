"""Dead letters: revived by a person, or deleted when they were kept long enough."""

from datetime import datetime, timedelta

import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)


def bodies(messages):
    return [message.body for message in messages]


@pytest.fixture
def dead(table, put):
    """Put a message and bury it; its id."""

    def dead(body=None, keep=None, **columns):
        number = put(body, priority=9, **columns)
        (message,) = table.claim(1, 1)
        assert table.bury([Receipt(number, message.claim_no)], ["bad"], keep) == {number}
        return number

    return dead


def test_a_revived_message_is_ready_and_starts_anew(table, dead, row):
    number = dead(keep=HOUR, deliveries=0)
    table.requeue([number])
    now = row(table, number)
    assert (now["state"], now["attempt"], now["deliveries"], now["due_at"]) == ("ready", 0, 0, None)


def test_a_revived_message_may_wait_before_it_is_taken(table, dead, age):
    number = dead(keep=timedelta(0))
    assert table.requeue([number], HOUR) == {number}
    assert (table.count("waiting"), table.count(), table.purge()) == (1, 0, 0)
    age(table, number, hours=2)
    assert table.promote() == [(number, "ready")]


def test_discard_deletes_dead_letters_and_nothing_else(table, dead, put, row):
    number, living = dead(), put()
    assert table.discard([number, living, living + 1000]) == {number}
    assert (row(table, number), row(table, living)["state"]) == ({}, "ready")


def test_a_dead_letter_that_is_being_revived_is_not_discarded(table, dead, connect, table_on, row):
    number, other = dead(), connect()
    with other.transaction():
        assert table_on(other).requeue([number]) == {number}
        assert table.discard([number]) == set()
    assert row(table, number)["state"] == "ready"


def test_requeue_says_what_moved(table, dead):
    number = dead()
    assert table.requeue([number, number + 1000]) == {number}


def test_a_revived_message_falls_in_behind_what_is_there(table, dead, put):
    number = dead("revived")
    put("there", priority=9)
    table.requeue([number])
    assert bodies(table.get(2)) == ["there", "revived"]


def test_the_claim_number_of_a_revived_message_goes_on(table, dead):
    table.requeue([dead()])
    assert table.claim(1, 1)[0].claim_no == 2


@pytest.mark.parametrize("state", ["ready", "waiting", "claimed"])
def test_only_dead_letters_are_revived(table, put, row, state):
    number = put(delay=HOUR if state == "waiting" else None)
    if state == "claimed":
        table.claim(1, 1)
    before = row(table, number)
    assert table.requeue([number]) == set()
    assert row(table, number) == before


def test_a_dead_letter_whose_key_is_in_use_stays_dead(table, dead, put):
    number = dead(unique_key="k")
    put(unique_key="k")
    assert (table.requeue([number]), table.count("dead")) == (set(), 1)


def test_a_dead_letter_whose_key_is_in_use_does_not_hold_up_the_others(table, dead, put):
    blocked, free, keyless = dead(unique_key="k"), dead(unique_key="other"), dead()
    put(unique_key="k")
    assert table.requeue([blocked, free, keyless]) == {free, keyless}


def test_of_several_dead_letters_with_one_key_the_oldest_is_revived(table, dead):
    numbers = [dead(unique_key="k") for _ in range(3)]
    assert table.requeue(numbers[::-1]) == {numbers[0]}


def test_dead_letters_without_a_key_are_all_revived(table, dead):
    numbers = [dead() for _ in range(3)]
    assert table.requeue(numbers) == set(numbers)


def test_a_dead_letter_that_was_kept_long_enough_is_purged(table, dead, age, row):
    number = dead(keep=HOUR)
    age(table, number, hours=2)
    assert (table.purge(), row(table, number)) == (1, {})


def test_a_dead_letter_is_kept_as_long_as_promised(table, dead):
    dead(keep=HOUR)
    assert (table.purge(), table.count("dead")) == (0, 1)


def test_a_dead_letter_without_an_end_is_kept_for_ever(table, dead):
    dead()
    assert (table.purge(), table.count("dead")) == (0, 1)


def test_a_bounded_number_is_purged_at_once_the_oldest_first(table, dead, age, row):
    numbers = [dead(keep=HOUR) for _ in range(3)]
    for number, hours in zip(numbers, (3, 2, 4), strict=True):
        age(table, number, hours=hours)
    assert table.purge(2) == 2
    assert [bool(row(table, number)) for number in numbers] == [False, True, False]


def test_due_messages_that_live_are_not_purged(table, put, age):
    waiting, leased = put(delay=HOUR), put()
    table.lease(HOUR)
    age(table, waiting, leased, hours=2)
    assert (table.purge(), table.count("waiting"), table.count("claimed")) == (0, 1, 1)


def test_what_became_of_messages_is_told_by_id(table, put, dead):
    lost, buried, ready = put(max_deliveries=1), dead(), put()
    table.claim(5, 1)
    table.reclaim([5])
    assert table.states([lost, buried, ready, ready + 1000], "priority") == {
        lost: ("dead", "the executor was lost while it ran", True, 0),
        buried: ("dead", "bad", False, 9),
        ready: ("ready", None, False, 0),
    }


# What went wrong ------------------------------------------------------------------------------------------


def failed(table, row, number):
    return [(entry["consumer"], entry["error"]) for entry in row(table, number)["errors"] or ()]


def test_each_run_that_failed_is_kept_with_its_error_and_who_ran_it(table, put, row):
    number = put(max_deliveries=9)
    (message,) = table.claim(7, 1)
    table.retry([Receipt(number, message.claim_no)], [timedelta(0)], ["first"])
    table.claim(8, 1)
    table.reclaim([8], begun=[number])
    (message,) = table.claim_suspects(9)
    table.bury([Receipt(number, message.claim_no)], ["last"])
    expected = [(7, "first"), (8, "the executor was lost while it ran"), (9, "last")]
    assert failed(table, row, number) == expected


def test_a_lease_that_ended_is_a_run_that_failed(table, put, row):
    number = put()
    table.lease(timedelta(microseconds=1))
    table.promote()
    assert failed(table, row, number) == [(0, "the lease ended without an answer")]


def test_what_did_not_run_has_not_failed(table, put, row):
    number = put()
    (message,) = table.claim(7, 1)
    table.retry([Receipt(number, message.claim_no)], [timedelta(0)], ["nobody knows it"], counts=False)
    (message,) = table.claim(7, 1)
    table.release([Receipt(number, message.claim_no)])
    table.claim(7, 1)
    table.reclaim([7], begun=[])
    assert row(table, number)["errors"] is None


def test_errors_outlive_the_revival_and_the_last_fifty_are_kept(table, put, row):
    number = put(max_deliveries=99)
    for index in range(53):
        (message,) = table.claim(1, 1)
        table.bury([Receipt(number, message.claim_no)], [f"no. {index}"])
        table.requeue([number])
    kept = failed(table, row, number)
    assert (len(kept), kept[0], kept[-1]) == (50, (1, "no. 3"), (1, "no. 52"))


def test_an_entry_says_when_the_run_was_claimed_and_ended_and_the_type_of_its_error(table, put, row):
    number = put()
    (message,) = table.claim(7, 1)
    claimed = row(table, number)["claimed_at"]
    table.retry([Receipt(number, message.claim_no)], [timedelta(0)], ["first"], ["builtins.OSError"])
    (message,) = table.claim(7, 1)
    table.bury([Receipt(number, message.claim_no)], ["last"], types=["builtins.ValueError"])
    first, last = row(table, number)["errors"]
    assert (first["type"], last["type"]) == ("builtins.OSError", "builtins.ValueError")
    assert datetime.fromisoformat(first["claimed_at"]) == claimed < datetime.fromisoformat(first["at"])
    assert first["at"] < last["claimed_at"] < last["at"]


@pytest.mark.parametrize("claim", [lambda t: t.claim(1, 1), lambda t: t.lease(HOUR)])
def test_each_claim_notes_when_it_was(table, put, claim, conn):
    put()
    (message,) = claim(table)
    assert abs((message.claimed_at - conn.execute("SELECT now()").fetchone()[0]).total_seconds()) < 5
