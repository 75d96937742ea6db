"""The order of a run, what stays of it when it ends early, and how it goes on."""

import pytest

from benchmarks.journal import Journal, Step, read
from benchmarks.progress import span
from benchmarks.rounds import run, steps

PEERS = [("celery", "default"), ("celery", "best")]


class Meter:
    """Measures nothing, in no time.

    Args:
        failing: systems that do not start.
        ends_at: the step at which it is interrupted.
    """

    def __init__(self, failing=(), ends_at=None):
        self.steps, self._failing, self._ends_at = [], failing, ends_at

    def __call__(self, step):
        if step == self._ends_at:
            raise KeyboardInterrupt
        self.steps.append(step)
        if not step.system:
            return [{"kind": "ours", "round": step.round, "test": step.test, "figures": {"x": 1.0}}]
        about = {"kind": "peer", "round": step.round, "system": step.system, "config": step.config}
        return [
            about | ({"test": "", "failed": "no"} if step.system in self._failing else {"test": step.test})
        ]


def test_in_each_round_each_test_goes_through_all_before_the_next():
    assert steps(2, ["1", "2"], PEERS)[:4] == [
        Step(1, "1"),
        Step(1, "1", "celery", "default"),
        Step(1, "1", "celery", "best"),
        Step(1, "2"),
    ]
    assert len(steps(2, ["1", "2"], PEERS)) == 12


def test_a_test_of_ours_alone_has_no_peers():
    assert steps(1, ["3"], PEERS) == [Step(1, "3")]


def test_each_figure_is_on_disk_before_the_next_is_measured(tmp_path):
    todo = steps(1, ["1", "2"], PEERS)
    with pytest.raises(KeyboardInterrupt):
        run(todo, Journal(tmp_path / "f"), Meter(ends_at=todo[2]))
    assert len(read(tmp_path / "f")) == 2


def test_a_run_that_goes_on_measures_only_what_is_not_there(tmp_path):
    todo, path = steps(2, ["1", "2"], PEERS), tmp_path / "f"
    with pytest.raises(KeyboardInterrupt):
        run(todo, Journal(path), Meter(ends_at=todo[7]))
    again = Meter()
    run(todo, Journal(path, resume=True), again)
    assert again.steps == todo[7:]
    assert len(read(path)) == len(todo)


def test_what_failed_is_tried_again(tmp_path):
    todo, path = steps(1, ["1"], PEERS), tmp_path / "f"
    run(todo, Journal(path), Meter(failing=["celery"]))
    again = Meter()
    run(todo, Journal(path, resume=True), again)
    assert again.steps == todo[1:]


def test_a_line_that_was_cut_short_is_measured_anew(tmp_path):
    todo, path = steps(1, ["1", "2"], PEERS), tmp_path / "f"
    run(todo, Journal(path), Meter())
    path.write_text(path.read_text()[:-9])
    again = Meter()
    run(todo, Journal(path, resume=True), again)
    assert again.steps == todo[-1:]
    assert len(read(path)) == len(todo)


def test_a_new_run_puts_the_one_that_is_there_aside(tmp_path):
    path = tmp_path / "figures.jsonl"
    run(steps(1, ["1"], []), Journal(path), Meter())
    assert Journal(path).lines == []
    assert len(read(tmp_path / "figures.before.jsonl")) == 1


def test_a_system_that_does_not_start_is_left_out_for_the_round():
    meter, peers = Meter(failing=["chancy"]), [("chancy", "best"), ("celery", "best")]
    journal = Journal(None)
    run(steps(2, ["1", "2"], peers), journal, meter)
    assert [step.round for step in meter.steps if step.system == "chancy"] == [1, 2]
    assert sum(step.system == "celery" for step in meter.steps) == 4


def test_it_says_how_far_it_is(capsys):
    run(steps(1, ["1"], PEERS), Journal(None), Meter(failing=["celery"]))
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("round 1/1, test 1, ours: 0.0 s")
    assert second.startswith("round 1/1, test 1, celery default: 0.0 s, failed: no")
    assert "left" not in third


@pytest.mark.parametrize(("seconds", "told"), [(12, "12 s"), (600, "10 min"), (7500, "2 h 5 min")])
def test_a_time_is_told_roughly(seconds, told):
    assert span(seconds) == told
