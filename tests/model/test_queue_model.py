"""The queue against a small model of it: whatever is done in whatever order, both say the same.

Time is moved, not waited for: a step of the model's clock ages every row of the table as well.
"""

from datetime import timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.model.queue import MAX_DELIVERIES, START, Model
from tpq import schema
from tpq.message import encode
from tpq.table import QueueTable, Receipt

NAME = "model"
delays = st.integers(1, 5).map(lambda minutes: timedelta(minutes=minutes))
consumers = st.integers(1, 3)
counts = st.integers(1, 3)
priorities = st.integers(-1, 1)
picks = st.integers(0, 10)


class QueueMachine(RuleBasedStateMachine):
    """Each rule does the same to the table and to the model, and compares what came back."""

    dsn = ""

    def __init__(self):
        super().__init__()
        self.connection = psycopg.connect(self.dsn, autocommit=True)
        self.table = QueueTable.of_messages(NAME, self.connection.cursor)
        self.model = Model()
        self.receipts = []

    @initialize()
    def empty(self):
        self.connection.execute(f"TRUNCATE {NAME}")

    def teardown(self):
        self.connection.close()

    # In

    @rule(priority=priorities, delay=st.none() | delays)
    def put(self, priority, delay):
        values = {"body": encode(None), "priority": priority, "max_deliveries": MAX_DELIVERIES}
        self.model.put(self.table.put(values, delay), priority, delay)
        self.tick()

    @rule(priority=priorities, delay=st.none() | delays)
    def put_and_roll_back(self, priority, delay):
        with self.connection.transaction(force_rollback=True):
            self.table.put({"body": encode(None), "priority": priority}, delay)

    # Out

    @rule(count=counts)
    def get(self, count):
        expected = self.model.next(count)
        assert [message.id for message in self.table.get(count)] == expected
        for number in expected:
            del self.model.messages[number]

    @rule(count=counts)
    def get_and_roll_back(self, count):
        with self.connection.transaction(force_rollback=True):
            assert [message.id for message in self.table.get(count)] == self.model.next(count)

    @rule(count=counts)
    def peek(self, count):
        assert [message.id for message in self.table.peek(count)] == self.model.next(count)

    # Claims

    def claimed(self, messages, expected, by, due=None):
        assert [message.id for message in messages] == expected
        self.model.claims += 1
        for message in messages:
            self.model.take(message.id, by, due)
            assert message.claim_no == self.model.messages[message.id]["claim_no"]
            self.receipts.append(Receipt(message.id, message.claim_no))

    @rule(consumer=consumers, count=counts)
    def claim(self, consumer, count):
        expected = self.model.ready(suspect=False)[:count]
        self.claimed(self.table.claim(consumer, count), expected, consumer)

    @rule(consumer=consumers, count=counts)
    def claim_suspects(self, consumer, count):
        expected = self.model.suspects(count)
        assert self.table.has_suspects() is bool(expected)
        self.claimed(self.table.claim_suspects(consumer, count), expected, consumer)

    @rule(lease=delays, count=counts)
    def lease(self, lease, count):
        expected = self.model.ready()[:count]
        self.claimed(self.table.lease(lease, count), expected, 0, self.model.now + lease)
        self.tick()

    @rule(consumer=consumers, begun=st.none() | st.sets(picks))
    def reclaim(self, consumer, begun):
        held = [
            number for number, m in self.model.messages.items() if m["by"] == consumer and m["due"] is None
        ]
        known = None if begun is None else [held[pick] for pick in begun if pick < len(held)]
        moved = self.table.reclaim([consumer], known)
        for number in held:
            (self.model.lose if known is None or number in known else self.model.back)(number)
        assert {(n, state) for n, state, _ in moved} == {(n, self.model.messages[n]["state"]) for n in held}

    # Settling, with receipts that may be late

    def held(self, pick):
        """A receipt, and whether it still holds."""
        receipt = self.receipts[pick % len(self.receipts)]
        m = self.model.messages.get(receipt.id)
        return receipt, bool(m) and m["state"] == "claimed" and m["claim_no"] == receipt.claim_no

    def settle(self, verb, pick, *arguments, **options):
        """Settle by one verb; the message's id if the receipt held."""
        receipt, holds = self.held(pick)
        assert getattr(self.table, verb)([receipt], *arguments, **options) == (
            {receipt.id} if holds else set()
        )
        return receipt.id if holds else None

    @precondition(lambda self: self.receipts)
    @rule(pick=picks)
    def ack(self, pick):
        if number := self.settle("ack", pick):
            del self.model.messages[number]

    @precondition(lambda self: self.receipts)
    @rule(pick=picks)
    def release(self, pick):
        if number := self.settle("release", pick):
            self.model.back(number)

    @precondition(lambda self: self.receipts)
    @rule(pick=picks, delay=st.just(START) | delays, counts=st.booleans())
    def retry(self, pick, delay, counts):
        if number := self.settle("retry", pick, [delay], [None], counts=counts):
            attempt = self.model.messages[number]["attempt"] + counts
            self.model.back(number, seq=self.model.last(), deliveries=0, attempt=attempt)
            if delay:
                self.model.messages[number].update(state="waiting", due=self.model.now + delay)
        self.tick()

    @precondition(lambda self: self.receipts)
    @rule(pick=picks)
    def bury(self, pick):
        if number := self.settle("bury", pick, ["bad"]):
            self.model.back(number, state="dead", attempt=self.model.messages[number]["attempt"] + 1)

    @precondition(lambda self: self.receipts)
    @rule(pick=picks, lease=delays)
    def extend(self, pick, lease):
        if number := self.settle("extend", pick, lease):
            self.model.messages[number]["due"] = self.model.now + lease
        self.tick()

    # Time and hands

    def tick(self):
        """Let a second pass, so that no two messages fall due at the same moment."""
        self.pass_time(timedelta(seconds=1))

    @rule(duration=delays)
    def pass_time(self, duration):
        self.model.now += duration
        query = f"UPDATE {NAME} SET due_at = due_at - %s, enqueued_at = enqueued_at - %s"
        self.connection.execute(query, [duration, duration])

    @rule(count=counts)
    def promote(self, count):
        expected = self.model.due()[:count]
        moved = self.table.promote(count)
        for number in expected:
            if self.model.messages[number]["state"] == "claimed":
                self.model.lose(number)
            else:
                self.model.back(number)
            self.model.messages[number]["seq"] = self.model.last()
        assert set(moved) == {(number, self.model.messages[number]["state"]) for number in expected}

    @rule(pick=picks)
    def requeue(self, pick):
        numbers = list(self.model.messages)[pick:][:1]
        dead = {number for number in numbers if self.model.messages[number]["state"] == "dead"}
        assert self.table.requeue(numbers) == dead
        for number in dead:
            self.model.back(number, seq=self.model.last(), deliveries=0, attempt=0)

    @rule(pick=picks)
    def discard(self, pick):
        numbers = list(self.model.messages)[pick:][:1]
        dead = {number for number in numbers if self.model.messages[number]["state"] == "dead"}
        assert self.table.discard(numbers) == dead
        for number in dead:
            del self.model.messages[number]

    @rule()
    def clear(self):
        gone = [n for n, m in self.model.messages.items() if m["state"] in ("ready", "waiting")]
        assert self.table.clear() == len(gone)
        for number in gone:
            del self.model.messages[number]

    # Always

    @invariant()
    def both_hold_the_same_messages(self):
        columns = "id, state, priority, claim_no, claimed_by, deliveries, attempt, due_at IS NOT NULL"
        rows = self.connection.execute(f"SELECT {columns} FROM {NAME}").fetchall()
        keys = ("state", "priority", "claim_no", "by", "deliveries", "attempt")
        expected = {
            (number, *(m[key] for key in keys), m["due"] is not None)
            for number, m in self.model.messages.items()
        }
        assert set(rows) == expected

    @invariant()
    def both_count_the_same(self):
        due = [number for number in self.model.due() if self.model.is_left(number)]
        assert self.table.count() == len(self.model.ready()) + len(due)


@pytest.fixture
def model_queue(session_conn, dsn):
    """The queue's table."""
    schema.create(NAME, session_conn.cursor)
    QueueMachine.dsn = dsn
    yield
    schema.drop(NAME, session_conn.cursor)


@pytest.mark.usefixtures("model_queue")
class TestQueueModel(QueueMachine.TestCase):
    """Run by pytest."""

    settings = settings(
        max_examples=60,
        stateful_step_count=40,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
