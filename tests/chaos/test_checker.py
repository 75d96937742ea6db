"""The judge of the fault suite finds each thing that no promise allows, and lets pass what a fault explains."""

import pytest

from chaos.checker import Effect, Left, judge
from chaos.history import history
from chaos.ledger import Entry, Kind

NOTHING = Left(0, 0, frozenset())
A, B = 100, 200
"""Processes."""


class Story:
    """Entries, one after the other, a second apart."""

    def __init__(self):
        self.entries = []
        self.effects = []
        self.left = NOTHING
        self.counted = None

    def tell(self, kind, number=0, detail=None, pid=1, after=1.0):
        moment = (self.entries[-1].moment if self.entries else 0.0) + after
        self.entries.append(Entry(moment, pid, kind, number, detail))
        return self

    def ask(self, number=1, kind="work", **more):
        return self.tell(Kind.ASKED, number, {"kind": kind, **more})

    def commit(self, number=1, kind="work", **more):
        return self.ask(number, kind, **more).tell(Kind.ACKNOWLEDGED, number)

    def start(self, name, number=1, pid=A, after=1.0):
        return self.tell(Kind.STARTED, number, name, pid, after)

    def end(self, name, number=1, pid=A):
        return self.tell(Kind.ENDED, number, name, pid)

    def run(self, name, number=1, pid=A):
        return self.start(name, number, pid).end(name, number, pid)

    def fault(self, *pids, deadly=False):
        about = {"id": "f", "name": "f", "pids": list(pids), "deadly": deadly}
        return self.tell(Kind.FAULT, 0, about)

    def heal(self):
        return self.tell(Kind.HEALED, 0, "f")

    @property
    def verdict(self):
        told = history(self.entries)
        counted = self.counted
        if counted is None:
            counted = sum(any(run.ended for run in c.runs) for c in told.calls.values() if c.asked)
        return judge(told, self.effects, self.left, counted)

    @property
    def broken(self):
        return {name for name, examples in self.verdict.broken.items() if examples}


@pytest.fixture
def story():
    return Story()


def test_a_call_that_ran_once_is_clean(story):
    story.commit().run("a")
    assert story.verdict.is_clean


def test_a_committed_call_that_never_ran_is_lost(story):
    story.commit()
    assert story.broken == {"committed and never ran"}


def test_a_call_whose_commit_is_not_known_may_have_run_or_not(story):
    story.ask(1).ask(2).run("a", 2)
    assert story.verdict.is_clean


def test_a_call_that_was_rolled_back_may_not_run(story):
    story.ask().tell(Kind.ROLLED_BACK, 1).run("a")
    assert story.broken == {"rolled back and ran"}


def test_a_call_that_nobody_asked_for_may_not_run(story):
    story.run("a")
    assert story.broken == {"rolled back and ran"}


def test_a_run_without_an_end_is_not_enough(story):
    story.commit().start("a")
    assert story.broken == {"no run to the end"}


def test_a_second_run_without_a_fault(story):
    story.commit().run("a").run("b", pid=B)
    assert story.broken == {"ran twice without a fault"}


def test_a_fault_of_another_process_explains_nothing(story):
    story.commit().start("a").fault(B, deadly=True).heal().end("a").run("b", pid=B)
    assert story.broken == {"ran twice without a fault"}


def test_a_fault_of_its_process_explains_a_second_run(story):
    story.commit().start("a").fault(A, deadly=True).heal().run("b", pid=B)
    assert story.verdict.is_clean
    assert len(story.verdict.excused["ran twice"]) == 1


def test_a_fault_of_long_ago_explains_nothing(story):
    story.fault(A).heal().commit().start("a", after=60).end("a").run("b", pid=B)
    assert story.broken == {"ran twice without a fault"}


def test_a_fault_that_came_after_the_second_run_explains_nothing(story):
    story.commit().run("a").run("b", pid=B).fault(A).heal()
    assert story.broken == {"ran twice without a fault"}


def test_a_lost_lease_explains_a_second_run(story):
    story.commit().start("a").tell(Kind.REFUSED, 1, "a").end("a").run("b")
    assert story.verdict.is_clean


def test_two_runs_at_a_time(story):
    story.commit().start("a").start("b", pid=B).end("a").end("b", pid=B)
    assert story.broken == {"ran twice without a fault", "two runs at a time"}


def test_two_runs_at_a_time_are_listed_where_a_fault_took_the_lease_of_a_living_process(story):
    story.commit().start("a").fault(A).start("b", pid=B).heal().end("a").end("b", pid=B)
    assert story.verdict.is_clean
    assert len(story.verdict.excused["two runs at a time"]) == 1


def test_a_killed_process_runs_no_longer(story):
    story.commit().start("a").fault(A, deadly=True).heal().run("b", pid=B)
    assert "two runs at a time" not in story.verdict.excused


def test_a_result_of_the_last_run(story):
    story.commit().run("a").tell(Kind.RESULT, 1, "a")
    assert story.verdict.is_clean


def test_a_result_of_a_run_that_was_late(story):
    story.commit().start("a").fault(A).run("b", pid=B).heal().end("a").tell(Kind.RESULT, 1, "a")
    assert story.broken == {"a result of a late run"}


def test_a_result_of_no_run(story):
    story.commit().tell(Kind.RESULT, 1, "a")
    assert "a result of a late run" in story.broken


def test_a_result_that_did_not_come(story):
    story.commit().run("a").tell(Kind.NO_RESULT, 1, "ResultExpired")
    assert story.broken == {"no result"}


def test_the_time_from_a_kill_to_the_next_run(story):
    story.commit().start("a").fault(A, deadly=True).heal().start("b", pid=B, after=4.0).end("b", pid=B)
    assert story.verdict.recovery == [5.0]


def test_a_run_that_had_ended_before_the_kill_is_no_recovery(story):
    story.commit().run("a").fault(A, deadly=True).heal().run("b", pid=B)
    assert story.verdict.recovery == []


def test_a_message_has_one_effect(story):
    story.commit(1, "taken").effects = [Effect("taken", 1)]
    assert story.verdict.is_clean


@pytest.mark.parametrize(
    ("effects", "broken"),
    [([], "an effect missing"), ([Effect("taken", 1)] * 2, "an effect twice")],
)
def test_a_message_with_another_number_of_effects(story, effects, broken):
    story.commit(1, "taken").effects = effects
    assert story.broken == {broken}


def test_an_effect_of_what_was_rolled_back(story):
    story.ask(1, "taken").tell(Kind.ROLLED_BACK, 1).effects = [Effect("taken", 1)]
    assert story.broken == {"an effect of nothing"}


def test_an_effect_that_nobody_asked_for(story):
    story.effects = [Effect("taken", 7)]
    assert story.broken == {"an effect of nothing"}


def test_the_ordered_queue_keeps_its_order(story):
    story.commit(1, "ordered").commit(2, "ordered")
    story.effects = [Effect("ordered", 2), Effect("ordered", 1)]
    assert story.broken == {"out of order"}


def test_other_queues_do_not(story):
    story.commit(1, "taken").commit(2, "taken")
    story.effects = [Effect("taken", 2), Effect("taken", 1)]
    assert story.verdict.is_clean


@pytest.mark.parametrize(
    ("left", "broken"),
    [
        (Left(1, 0, frozenset()), "left claimed"),
        (Left(0, 1, frozenset()), "left unfinished"),
        (Left(0, 0, frozenset({1})), "a dead letter of nothing"),
        (Left(0, 0, frozenset({9})), "a dead letter of nothing"),
    ],
)
def test_what_is_left(story, left, broken):
    story.commit().run("a").left = left
    assert story.broken == {broken}


def test_what_fails_is_a_dead_letter(story):
    story.commit(1, "fails").run("a").left = Left(0, 0, frozenset({1}))
    assert story.verdict.is_clean


@pytest.mark.parametrize("kind", ["fails", "dies"])
def test_what_fails_and_is_no_dead_letter(story, kind):
    story.commit(1, kind).run("a")
    assert story.broken == {"not a dead letter"}


def test_what_kills_its_process_runs_as_often_as_it_is_delivered(story):
    for name, pid in (("a", A), ("b", B)):
        story.fault(pid, deadly=True).heal()
        story.tell(Kind.STARTED, 1, name, pid, after=-0.5)
    story.entries.sort()
    story.commit(1, "dies").left = Left(0, 0, frozenset({1}))
    assert story.verdict.is_clean


@pytest.mark.parametrize("counted", [0, 2])
def test_statistics_that_differ(story, counted):
    story.commit().run("a").counted = counted
    assert story.broken == {"statistics"}


@pytest.mark.parametrize("counted", [0, 1])
def test_statistics_that_a_kill_may_have_cut_short(story, counted):
    story.commit().run("a").fault(A, deadly=True).heal().counted = counted
    assert story.verdict.is_clean


@pytest.mark.parametrize("kind", ["atomic", "atomic, tried again"])
@pytest.mark.parametrize(
    ("effects", "broken"),
    [(0, {"an effect missing"}), (1, set()), (2, {"an effect twice"})],
)
def test_an_atomic_call_has_one_effect(story, kind, effects, broken):
    story.commit(1, kind).run("a").effects = [Effect("atomic", 1)] * effects
    assert story.broken == broken


def test_an_atomic_call_that_ran_twice_has_one_effect(story):
    story.commit(1, "atomic").start("a").fault(A).run("b", pid=B).heal().end("a")
    story.effects = [Effect("atomic", 1)]
    assert story.verdict.is_clean


def test_attempts_that_follow_each_other_are_no_second_runs(story):
    story.commit(1, "tried again", attempts=3).run("a#1").run("b#2", pid=B).run("c#3")
    assert story.verdict.is_clean


def test_an_attempt_that_is_repeated_without_a_fault(story):
    story.commit(1, "tried again", attempts=2).run("a#1").run("b#1").run("c#2")
    assert story.broken == {"ran twice without a fault"}


def test_an_attempt_that_a_fault_repeats(story):
    story.commit(1, "tried again", attempts=2).start("a#1").fault(A, deadly=True).heal().run("b#1", pid=B)
    story.run("c#2", pid=B)
    assert story.verdict.is_clean


def test_an_attempt_that_is_missing(story):
    story.commit(1, "tried again", attempts=3).run("a#1").run("b#2")
    assert story.broken == {"an attempt missing"}


def test_an_attempt_too_many(story):
    story.commit(1, "tried again", attempts=1).run("a#1").run("b#2")
    assert story.broken == {"an attempt too many"}


@pytest.mark.parametrize(
    ("is_dead", "effects", "broken"),
    [
        (True, 0, set()),
        (False, 1, set()),
        (False, 0, {"neither cancelled nor done"}),
        (True, 1, {"both cancelled and done"}),
    ],
)
def test_what_is_cancelled_is_cancelled_or_done(story, is_dead, effects, broken):
    story.commit(1, "cancelled").run("a").effects = [Effect("atomic", 1)] * effects
    story.left = Left(0, 0, frozenset({1} if is_dead else ()))
    assert story.broken == broken


def test_what_is_cancelled_need_not_run(story):
    story.commit(1, "cancelled").left = Left(0, 0, frozenset({1}))
    assert story.verdict.is_clean


@pytest.mark.parametrize(("is_dead", "broken"), [(True, set()), (False, {"neither cancelled nor done"})])
def test_a_nap_that_is_cancelled_before_its_end(story, is_dead, broken):
    story.commit(1, "cancelled nap").start("a").left = Left(0, 0, frozenset({1} if is_dead else ()))
    assert story.broken == broken


def test_what_takes_too_long_is_a_dead_letter_and_needs_no_end(story):
    story.commit(1, "too long").start("a").left = Left(0, 0, frozenset({1}))
    assert story.verdict.is_clean


def test_what_takes_too_long_and_is_no_dead_letter(story):
    story.commit(1, "too long").run("a")
    assert story.broken == {"not a dead letter"}
