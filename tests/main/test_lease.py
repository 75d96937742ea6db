"""`receive(lease=…)`: the message is claimed for a time, and the block says what becomes of it."""

from datetime import timedelta

import pytest
from django.db import DataError, connection
from django.db.models import F
from django.utils.timezone import now

from django_tpq.main.errors import LeaseLost, QueueEmpty
from tests.testapp.models import PlainQueue

pytestmark = pytest.mark.django_db
queue = PlainQueue.objects
HOUR = timedelta(hours=1)


@pytest.fixture
def number():
    """The id of the only message."""
    return queue.enqueue("work")


def row(number):
    return PlainQueue.objects.get(pk=number)


def expire(message):
    """Let the lease be over since a moment."""
    PlainQueue.objects.filter(pk=message.pk).update(due_at=now() - timedelta(seconds=1))


def test_a_received_message_is_claimed_for_the_time_of_its_lease(number):
    before = now()
    with queue.receive(lease=HOUR) as message:
        claimed = row(number)
        assert (message.pk, message.body, message.is_settled) == (number, "work", False)
        assert (claimed.state, claimed.claim_no, claimed.claimed_by) == ("claimed", 1, 0)
        assert before + HOUR <= claimed.due_at <= now() + HOUR + timedelta(minutes=1)
        with pytest.raises(QueueEmpty), queue.receive(lease=HOUR):
            raise AssertionError("nobody else gets it")


def test_a_lease_may_be_given_in_seconds(number):
    with queue.receive(lease=3600):
        assert row(number).due_at > now() + timedelta(minutes=59)


def test_an_empty_queue_has_nothing_to_receive():
    with pytest.raises(QueueEmpty, match="PlainQueue has no message"), queue.receive(lease=60):
        raise AssertionError("there is none")


def test_a_block_that_says_nothing_acks(number):
    with queue.receive(lease=60):
        pass
    assert not PlainQueue.objects.filter(pk=number).exists()


def test_a_block_that_returns_acks(number):
    def use():
        with queue.receive(lease=60) as message:
            return message.body

    assert (use(), queue.all().count()) == ("work", 0)


def test_ack_deletes_at_once(number):
    with queue.receive(lease=60) as message:
        message.ack()
        assert not PlainQueue.objects.filter(pk=number).exists()
        assert message.is_settled


def test_retry_gives_back_for_later_and_counts(number):
    with queue.receive(lease=60) as message:
        message.retry(HOUR, "not yet")
    back = row(number)
    assert (back.state, back.attempt, back.error) == ("waiting", 1, "not yet")
    assert back.due_at > now() + timedelta(minutes=59)


def test_retry_without_a_delay_is_behind_the_others(number):
    queue.enqueue("next")
    with queue.receive(lease=60) as message:
        message.retry()
    assert queue.dequeue_many(2) == ["next", "work"]


def test_release_keeps_the_place_in_the_line_and_counts_nothing(number):
    queue.enqueue("next")
    with queue.receive(lease=60) as message:
        message.release()
    assert (row(number).attempt, row(number).deliveries) == (0, 0)
    assert queue.dequeue_many(2) == ["work", "next"]


def test_bury_makes_a_dead_letter(number):
    with queue.receive(lease=60) as message:
        message.bury("no such address")
    dead = row(number)
    assert (dead.state, dead.error, dead.claimed_by) == ("dead", "no such address", None)
    assert (queue.count(), queue.count("dead")) == (0, 1)


@pytest.mark.parametrize(("again", "left"), [((), 1), ((3 * HOUR,), 3)])
def test_extend_makes_the_lease_last_from_now_on(number, again, left):
    with queue.receive(lease=HOUR) as message:
        expire(message)
        message.extend(*again)
        assert now() + (left - 0.1) * HOUR < row(number).due_at < now() + (left + 0.1) * HOUR
        assert not message.is_settled


@pytest.mark.parametrize("error", [LookupError("no"), KeyboardInterrupt("no"), SystemExit("no")])
def test_a_block_that_raises_gives_back_behind_the_others(number, error):
    queue.enqueue("next")
    with pytest.raises(type(error), match="no"), queue.receive(lease=60):
        raise error
    back = row(number)
    assert (back.state, back.attempt, back.error) == ("ready", 1, f"{type(error).__name__}: no")
    assert queue.dequeue_many(2) == ["next", "work"]


class Mute(Exception):
    """Has no text."""

    def __str__(self):
        raise LookupError("no text")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("a NUL \0 in it"), "ValueError: a NUL \\0 in it"),
        (OSError("a file name \udcff of bytes"), "OSError: a file name \\udcff of bytes"),
        (Mute(), "tests.main.test_lease.Mute: <exception str() failed>"),
    ],
    ids=["NUL", "surrogate", "mute"],
)
def test_an_error_whose_text_can_not_be_stored_gives_back_too(number, error, kept):
    with pytest.raises(type(error)), queue.receive(lease=60):
        raise error
    assert (row(number).state, row(number).error) == ("ready", kept)


def test_a_reason_that_can_not_be_stored_is_stored_escaped(number):
    with queue.receive(lease=60) as message:
        message.bury("a NUL \0 in it")
    assert row(number).error == "a NUL \\0 in it"


@pytest.mark.django_db(transaction=True)
def test_a_verb_that_fails_settles_nothing(number):
    with queue.receive(lease=60) as message:
        with pytest.raises(DataError):
            message.retry(timedelta.max)
        assert not message.is_settled
        message.release()
    assert row(number).state == "ready"


def test_a_block_that_settles_and_then_raises_has_settled(number):
    def use():
        with queue.receive(lease=60) as message:
            message.bury("bad")
            raise LookupError

    with pytest.raises(LookupError):
        use()
    assert row(number).state == "dead"


@pytest.mark.parametrize("verb", ["ack", "release", "retry", "extend"])
def test_settling_twice_is_refused(number, verb):
    with queue.receive(lease=60) as message:
        message.release()
        with pytest.raises(TypeError, match=f"message {number} is not on a lease: .* settled already"):
            getattr(message, verb)()
    assert row(number).state == "ready"


@pytest.mark.parametrize("look", [lambda: queue.peek()[0], queue.get], ids=["peek", "get"])
def test_a_message_that_was_only_looked_at_can_not_be_settled(number, look):
    message = look()
    assert message.is_settled
    with pytest.raises(TypeError, match="received without lease"):
        message.ack()


# Too late -------------------------------------------------------------------------------------------------


def lost_to_another(message):
    """Let the lease be over and somebody else claim the message; the claim number he has."""
    expire(message)
    with queue.receive(lease=HOUR) as other:
        assert (other.pk, other.claim_no) == (message.pk, message.claim_no + 1)
        PlainQueue.objects.filter(pk=other.pk).update(error="his")
        other._lease = None  # he keeps it beyond this block


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("ack", ()), ("retry", (60,)), ("release", ()), ("bury", ("bad",)), ("extend", ())],
)
def test_a_late_verb_says_so_and_changes_nothing(number, verb, arguments):
    with queue.receive(lease=60) as message:
        lost_to_another(message)
        with pytest.raises(LeaseLost, match=f"message {number}: its lease ended"):
            getattr(message, verb)(*arguments)
        assert message.is_settled
    assert (row(number).state, row(number).claim_no, row(number).error) == ("claimed", 2, "his")


def test_a_block_that_says_nothing_learns_that_it_was_late(number):
    with pytest.raises(LeaseLost), queue.receive(lease=60) as message:
        lost_to_another(message)
    assert (row(number).state, row(number).claim_no) == ("claimed", 2)


def test_a_late_block_that_raises_raises_its_own_error(number):
    def use():
        with queue.receive(lease=60) as message:
            lost_to_another(message)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        use()
    assert (row(number).state, row(number).error) == ("claimed", "his")


def test_a_message_that_was_dequeued_meanwhile_is_lost(number):
    def use():
        with queue.receive(lease=60) as message:
            expire(message)
            assert queue.dequeue() == "work"

    with pytest.raises(LeaseLost):
        use()


def test_a_lease_that_is_over_while_nobody_came_still_holds(number):
    with queue.receive(lease=60) as message:
        expire(message)
    assert queue.all().count() == 0


def test_a_message_whose_leases_were_all_lost_is_dead(number):
    for _ in range(3):
        assert queue.count() == 1
        with queue.receive(lease=60) as message:
            expire(message)
            message._lease = None  # and its process is gone
    with pytest.raises(QueueEmpty), queue.receive(lease=60):
        raise AssertionError("there is none")
    assert (row(number).state, row(number).deliveries) == ("dead", 3)


def test_a_delayed_message_that_is_due_is_received():
    queue.enqueue("later", delay=HOUR)
    with pytest.raises(QueueEmpty), queue.receive(lease=60):
        raise AssertionError("it is not due")
    PlainQueue.objects.update(due_at=F("due_at") - HOUR)
    with queue.receive(lease=60) as message:
        assert message.body == "later"


# Transactions and threads ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_lease_holds_no_transaction(number, in_background):
    with queue.receive(lease=60):
        assert not connection.in_atomic_block
        claimed = in_background(lambda: (row(number).state, queue.count()))
        assert claimed() == ("claimed", 0)


@pytest.mark.django_db(transaction=True)
def test_another_thread_may_extend_and_settle(number, in_background):
    with queue.receive(lease=HOUR) as message:
        in_background(lambda: message.extend(3 * HOUR))()
        assert row(number).due_at > now() + 2 * HOUR
        in_background(message.ack)()
        assert message.is_settled
    assert not PlainQueue.objects.filter(pk=number).exists()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_given_back_wakes_who_waits(number, in_background, somebody_listens, monkeypatch):
    monkeypatch.setattr("tpq.waiting.POLL_BEHIND_BELL", 3600.0)
    with queue.receive(lease=HOUR) as message:
        taken = in_background(lambda: queue.dequeue(wait=0))
        somebody_listens()
        message.release()
    assert taken() == "work"
